//! Diagnostics as text with the source line marked, and as JSON.

use super::{Diagnostic, Label, Severity};
use crate::source::{FileId, Sources, Span};
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str};
use serde::Serialize;
use std::ops::Range;
use std::path::Path;

/// Nobody reads more; a file that is not what it should be has a hundred thousand.
const MOST_SHOWN: usize = 500;

/// How text is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// With ANSI colours.
    pub color: bool,
    /// Columns of the terminal: longer source lines are cut around the marked place.
    pub width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Style { color: false, width: 140 }
    }
}

/// All diagnostics, sorted by file and place, and a last line that counts them. Empty if there are none.
pub fn text(diagnostics: &[Diagnostic], sources: &Sources, style: Style) -> String {
    let mut sorted = diagnostics.to_vec();
    super::sort(&mut sorted, sources);
    let renderer = if style.color { Renderer::styled() } else { Renderer::plain() }.term_width(style.width);
    let mut out = String::new();
    let shown = &sorted[..sorted.len().min(MOST_SHOWN)];
    for group in same_but_for_the_place(shown) {
        out.push_str(&one(group, sources, &renderer));
        out.push_str("\n\n");
    }
    if shown.len() < sorted.len() {
        out.push_str(&format!("… and {} more that are not shown.\n", sorted.len() - shown.len()));
    }
    if let Some(line) = count(&sorted) {
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// `2 errors and 1 warning; …`, or None where there is nothing to count.
pub fn count(diagnostics: &[Diagnostic]) -> Option<String> {
    let first = diagnostics.iter().find(|d| d.is_error()).or(diagnostics.first())?;
    let errors = diagnostics.iter().filter(|d| d.is_error()).count();
    let warnings = diagnostics.len() - errors;
    let number = |n: usize, noun: &str| format!("{n} {noun}{}", if n == 1 { "" } else { "s" });
    let counted = match (errors, warnings) {
        (0, w) => number(w, "warning"),
        (e, 0) => number(e, "error"),
        (e, w) => format!("{} and {}", number(e, "error"), number(w, "warning")),
    };
    Some(format!("{counted}; `debrole explain {}` says more", first.rule.code))
}

/// Runs of diagnostics in one file that say the same of different places: shown as one with several marks.
fn same_but_for_the_place(sorted: &[Diagnostic]) -> Vec<Vec<&Diagnostic>> {
    let mut groups: Vec<Vec<&Diagnostic>> = Vec::new();
    for diagnostic in sorted {
        let same = groups.iter_mut().find(|group| {
            let first = group[0];
            std::ptr::eq(first.rule, diagnostic.rule)
                && first.message == diagnostic.message
                && first.help == diagnostic.help
                && first.notes == diagnostic.notes
                && matches!((&first.primary, &diagnostic.primary), (Some(a), Some(b)) if a.span.file == b.span.file)
                && first.secondary.is_empty()
                && diagnostic.secondary.is_empty()
        });
        match same {
            Some(group) => group.push(diagnostic),
            None => groups.push(vec![diagnostic]),
        }
    }
    groups
}

fn one(group: Vec<&Diagnostic>, sources: &Sources, renderer: &Renderer) -> String {
    let diagnostic = group[0];
    let level = match diagnostic.rule.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut report = Group::with_title(level.primary_title(printable(&diagnostic.message)).id(diagnostic.rule.code));
    let primary: Vec<&Label> = group.iter().filter_map(|d| d.primary.as_ref()).collect();
    if let Some(path) = diagnostic.path.as_ref().filter(|_| primary.is_empty()) {
        report = report.element(Origin::path(on_one_line(path)));
    }
    // The primary file first, then the others in the order in which they are named.
    let mut files: Vec<FileId> = Vec::new();
    for label in primary.iter().copied().chain(&diagnostic.secondary) {
        if !files.contains(&label.span.file) {
            files.push(label.span.file);
        }
    }
    for file in files {
        let marks: Vec<(AnnotationKind, &Label)> = primary
            .iter()
            .map(|label| (AnnotationKind::Primary, *label))
            .chain(diagnostic.secondary.iter().map(|label| (AnnotationKind::Context, label)))
            .filter(|(_, label)| label.span.file == file)
            .collect();
        report = report.element(snippet(file, &marks, sources));
    }
    for help in &diagnostic.help {
        report = report.element(Level::HELP.message(printable(help)));
    }
    for note in &diagnostic.notes {
        report = report.element(Level::NOTE.message(printable(note)));
    }
    renderer.render(&[report])
}

/// Text without what would steer a terminal; lines stay lines.
pub fn printable(text: &str) -> String {
    normalize_untrusted_str(text)
}

/// The lines around the marks, so that the renderer need not look at the whole file.
fn snippet<'a>(
    file: FileId,
    marks: &[(AnnotationKind, &'a Label)],
    sources: &'a Sources,
) -> Snippet<'a, Annotation<'a>> {
    let text = sources.text(file);
    let ranges: Vec<Range<usize>> = marks.iter().map(|(_, label)| first_line(text, label.span)).collect();
    let low = ranges.iter().map(|r| r.start).min().unwrap_or(0);
    let high = ranges.iter().map(|r| r.end).max().unwrap_or(0);
    let start = text[..low].rfind('\n').map_or(0, |i| i + 1);
    let end = text[high..].find('\n').map_or(text.len(), |i| high + i);
    let line = text[..start].matches('\n').count() + 1;
    let annotations = marks.iter().zip(ranges).map(|((kind, label), range)| {
        let annotation = kind.span(range.start - start..range.end - start);
        if label.text.is_empty() { annotation } else { annotation.label(printable(&label.text)) }
    });
    Snippet::source(&text[start..end]).line_start(line).path(on_one_line(sources.path(file))).annotations(annotations)
}

/// A path has a line of its own, on which nothing else may seem to be said.
fn on_one_line(path: &Path) -> String {
    printable(&path.display().to_string()).replace('\n', "␊")
}

/// The part of a span that is on its first line with text in it, on character boundaries.
fn first_line(text: &str, span: Span) -> Range<usize> {
    let boundary = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let (mut start, end) = (boundary(span.start as usize), boundary(span.end as usize));
    if !text[start..end].trim().is_empty() {
        start += text[start..end].len() - text[start..end].trim_start_matches(['\n', '\r']).len();
    }
    let line_end = text[start..end].find('\n').map_or(end, |i| start + i);
    start..line_end
}

#[derive(Serialize)]
struct Place {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_column: Option<usize>,
}

#[derive(Serialize)]
struct JsonLabel<'a> {
    #[serde(flatten)]
    place: Place,
    text: &'a str,
    primary: bool,
}

#[derive(Serialize)]
struct Json<'a> {
    code: &'a str,
    severity: &'a str,
    message: &'a str,
    #[serde(flatten)]
    place: Place,
    labels: Vec<JsonLabel<'a>>,
    help: &'a [String],
    notes: &'a [String],
}

fn place(span: Span, sources: &Sources) -> Place {
    let (line, column) = sources.line_column(span.file, span.start);
    let (end_line, end_column) = sources.line_column(span.file, span.end);
    Place {
        file: Some(sources.path(span.file).display().to_string()),
        line: Some(line),
        column: Some(column),
        end_line: Some(end_line),
        end_column: Some(end_column),
    }
}

/// All diagnostics as one JSON array, sorted by file and place. `file` is relative to the tree; `line` and `column`
/// count from 1, columns in characters; `end_column` is the column behind the last character. Where there is no
/// place in a file, these keys are absent.
pub fn json(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let mut sorted = diagnostics.to_vec();
    super::sort(&mut sorted, sources);
    let array: Vec<Json<'_>> = sorted
        .iter()
        .map(|d| {
            let label = |label: &'_ Label| place(label.span, sources);
            let labels = d.primary.iter().map(|l| (l, true)).chain(d.secondary.iter().map(|l| (l, false)));
            Json {
                code: d.rule.code,
                severity: match d.rule.severity {
                    Severity::Error => "error",
                    Severity::Warning => "warning",
                },
                message: &d.message,
                place: d.primary.as_ref().map(label).unwrap_or_else(|| Place {
                    file: d.path.as_ref().map(|path| path.display().to_string()),
                    line: None,
                    column: None,
                    end_line: None,
                    end_column: None,
                }),
                labels: labels.map(|(l, primary)| JsonLabel { place: label(l), text: &l.text, primary }).collect(),
                help: &d.help,
                notes: &d.notes,
            }
        })
        .collect();
    let mut out = serde_json::to_string_pretty(&array).expect("strings and numbers are JSON");
    out.push('\n');
    out
}
