//! What the TOML parser found wrong, in our words.

use crate::diagnostics::{Diagnostic, rules};
use crate::source::{FileId, Span};
use std::collections::BTreeMap;

/// So many errors of one file say enough.
const MOST: usize = 1000;

/// The syntax errors of a file, one for each line at most: what follows the first on its line is mostly its echo.
pub fn diagnostics(file: FileId, text: &str, errors: &[toml::de::Error]) -> Vec<Diagnostic> {
    let mut by_line: BTreeMap<usize, &toml::de::Error> = BTreeMap::new();
    for error in errors.iter().take(MOST) {
        let at = error.span().map_or(0, |range| range.start.min(text.len()));
        let line = text.as_bytes()[..at].iter().filter(|b| **b == b'\n').count();
        let known = by_line.entry(line).or_insert(error);
        // That something was never closed explains all the rest.
        if !known.message().starts_with("unclosed") && error.message().starts_with("unclosed") {
            *known = error;
        }
    }
    by_line.values().map(|error| diagnostic(file, text, error)).collect()
}

/// One syntax error. Keys given twice have a rule of their own.
fn diagnostic(file: FileId, text: &str, error: &toml::de::Error) -> Diagnostic {
    let mut range = error.span().unwrap_or(0..0);
    range.start = range.start.min(text.len());
    range.end = range.end.clamp(range.start, text.len());
    let span = Span::new(file, range.clone());
    let message = error.message();
    if message.contains("duplicate key") {
        let key = text.get(range).unwrap_or("").trim().trim_matches(['[', ']']).to_owned();
        return Diagnostic::new(&rules::duplicate_key::RULE, format!("\"{key}\" is given twice"))
            .at(span, "given again here")
            .help("keep one of them");
    }
    let diagnostic = Diagnostic::new(&rules::toml_syntax::RULE, format!("this is not TOML: {message}")).at(span, "");
    if let Some(close) = message
        .strip_prefix("unclosed array")
        .map(|_| ']')
        .or(message.strip_prefix("unclosed inline table").map(|_| '}'))
    {
        let open = if close == ']' { '[' } else { '{' };
        let diagnostic = diagnostic.help(format!("write the \"{close}\" that is missing"));
        return match unclosed(&text[..range.start], open, close) {
            Some(at) => diagnostic.also(Span::new(file, at..at + 1), "opened here"),
            None => diagnostic,
        };
    }
    if message.contains("leading zero") {
        let digits: String = text[range.start..].chars().take_while(char::is_ascii_digit).collect();
        return diagnostic.help(format!("a file mode is written in quotes: \"{digits}\""));
    }
    diagnostic.help("the grammar is at https://toml.io/en/v1.0.0")
}

/// Where the last bracket was opened that is not closed. Brackets in strings are counted, too: it is a hint.
fn unclosed(text: &str, open: char, close: char) -> Option<usize> {
    let mut closed = 0;
    for (at, c) in text.char_indices().rev() {
        if c == close {
            closed += 1;
        } else if c == open {
            if closed == 0 {
                return Some(at);
            }
            closed -= 1;
        }
    }
    None
}
