//! What the TOML parser found wrong, in our words.

use crate::diagnostics::{Diagnostic, rules};
use crate::source::{FileId, Span};

/// One syntax error. Keys given twice have a rule of their own.
pub fn diagnostic(file: FileId, text: &str, error: &toml::de::Error) -> Diagnostic {
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
    let line = text[..span.start as usize].rfind('\n').map_or(0, |i| i + 1);
    let line = text[line..].lines().next().unwrap_or("");
    let value = line.split_once('=').map_or("", |(_, value)| value.trim());
    if value.len() > 1 && value.starts_with('0') && value.bytes().all(|b| b.is_ascii_digit()) {
        return diagnostic.help(format!("a file mode is written in quotes: \"{value}\""));
    }
    diagnostic.help("the grammar is at https://toml.io/en/v1.0.0")
}
