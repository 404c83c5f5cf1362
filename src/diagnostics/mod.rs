//! What is wrong, where, and what to do about it. A [`Diagnostic`] is a rule's code, a message phrased in the
//! field's words, the places, and the fix. Nothing here prints: rendering is [`render`], printing is
//! [`crate::reporter`].

pub mod render;
pub mod rules;

use crate::source::{Sources, Span};
use std::path::Path;

/// A rule that a tree, a key or a repository can break. Its code is stable: scripts and people quote it.
#[derive(Debug)]
pub struct Rule {
    /// Kebab-case, like a lintian tag: `unknown-key`.
    pub code: &'static str,
    pub severity: Severity,
    /// One line: what is wrong.
    pub summary: &'static str,
    /// What `debrole explain CODE` prints: what it means, why it matters, what to do, with an example of what is
    /// refused and of what is accepted.
    pub explanation: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing is built or published.
    Error,
    /// Built all the same, but somebody should look.
    Warning,
}

/// A place and what is to be said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    pub span: Span,
    pub text: String,
}

#[derive(Debug, Clone)]
pub struct Diagnostic {
    pub rule: &'static Rule,
    pub message: String,
    /// Where it is wrong. None where there is no text to point at (a missing file, a key, the clock).
    pub primary: Option<Label>,
    /// Other places that belong to it (the first definition, the steps of a cycle).
    pub secondary: Vec<Label>,
    /// A file that cannot be shown as text (unreadable, not UTF-8, too large), relative to the tree.
    pub path: Option<std::path::PathBuf>,
    /// What to do, one sentence each.
    pub help: Vec<String>,
    /// Background, one sentence each (a Policy section, what a tool said).
    pub notes: Vec<String>,
}

impl Diagnostic {
    pub fn new(rule: &'static Rule, message: impl Into<String>) -> Self {
        Diagnostic {
            rule,
            message: message.into(),
            primary: None,
            secondary: Vec::new(),
            path: None,
            help: Vec::new(),
            notes: Vec::new(),
        }
    }
    /// Where it is wrong, with a short text under the marked source (may be empty).
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.primary = Some(Label { span, text: text.into() });
        self
    }
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.secondary.push(Label { span, text: text.into() });
        self
    }
    pub fn in_file(mut self, path: impl Into<std::path::PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }
    pub fn is_error(&self) -> bool {
        self.rule.severity == Severity::Error
    }
}

/// Sorts by file, place and code, and drops what is said twice. Diagnostics without a file come first.
pub fn sort(diagnostics: &mut Vec<Diagnostic>, sources: &Sources) {
    fn key<'a>(d: &'a Diagnostic, sources: &'a Sources) -> (Option<&'a Path>, u32, u32, &'static str, &'a str) {
        let span = d.primary.as_ref().map(|label| label.span);
        let file = span.map(|span| sources.path(span.file)).or(d.path.as_deref());
        (file, span.map_or(0, |s| s.start), span.map_or(0, |s| s.end), d.rule.code, &d.message)
    }
    diagnostics.sort_by(|a, b| key(a, sources).cmp(&key(b, sources)));
    diagnostics.dedup_by(|a, b| key(a, sources) == key(b, sources));
}
