//! Checks of plain text: what may reach a control file, a unit, a line of a manifest.

use crate::diagnostics::{Diagnostic, rules};
use crate::names::AccountName;
use crate::schema::{Text, Texts};
use crate::source::Spanned;
use std::collections::BTreeMap;

/// How a control character is called in a message.
fn called(c: char) -> String {
    match c {
        '\n' => "a newline".into(),
        '\r' => "a carriage return".into(),
        '\t' => "a tab".into(),
        '\0' => "a NUL byte".into(),
        c => format!("the control character U+{:04X}", c as u32),
    }
}

/// The formatting characters that turn the direction of what follows (Unicode Standard Annex 9, table 4).
fn turns(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether the text reads in the order in which it is written; else the error that says so.
fn one_direction(text: &Text, what: &str, out: &mut Vec<Diagnostic>) -> bool {
    let Some((at, c)) = text.value.char_indices().find(|(_, c)| turns(*c)) else { return true };
    out.push(
        Diagnostic::new(
            &rules::text_direction::RULE,
            format!("{what} holds the invisible character U+{:04X}, which turns the direction of text", c as u32),
        )
        .at(text.part(at..at + c.len_utf8()), format!("U+{:04X} here", c as u32))
        .help("remove it"),
    );
    false
}

/// Whether the text is one line without control characters; else the error that says so.
pub fn one_line(text: &Text, what: &str, out: &mut Vec<Diagnostic>) -> bool {
    match text.value.char_indices().find(|(_, c)| c.is_control()) {
        Some((at, c)) => {
            out.push(
                Diagnostic::new(&rules::control_character::RULE, format!("{what} is one line: it holds {}", called(c)))
                    .at(text.part(at..at + c.len_utf8()), format!("{} here", called(c)))
                    .help("remove it: it would begin another line in the generated file"),
            );
            false
        }
        None => one_direction(text, what, out),
    }
}

/// Whether the text is lines without other control characters than tabs; else the error that says so.
pub fn lines(text: &Text, what: &str, out: &mut Vec<Diagnostic>) -> bool {
    match text.value.char_indices().find(|(_, c)| c.is_control() && *c != '\n' && *c != '\t') {
        Some((at, '\r')) => {
            let place = text.part(at..at + 1);
            let label = if place == text.span { "there is \"\\r\" in it" } else { "the line ends in CR LF" };
            out.push(
                Diagnostic::new(&rules::carriage_return::RULE, format!("{what} holds a carriage return"))
                    .at(place, label)
                    .help("let lines end in a newline alone; dos2unix(1) converts files"),
            );
            false
        }
        Some((at, c)) => {
            out.push(
                Diagnostic::new(&rules::control_character::RULE, format!("{what} holds {}", called(c)))
                    .at(text.part(at..at + c.len_utf8()), format!("{} here", called(c)))
                    .help("remove it"),
            );
            false
        }
        None => one_direction(text, what, out),
    }
}

/// A fragment of sh: not empty, no CR, no NUL.
pub fn script(text: &Text, what: &str, out: &mut Vec<Diagnostic>) -> Option<Spanned<String>> {
    if text.value.trim().is_empty() {
        out.push(
            Diagnostic::new(&rules::empty_text::RULE, format!("{what} is empty"))
                .at(text.span, "nothing to run")
                .help("remove it"),
        );
        return None;
    }
    lines(text, what, out).then(|| text.clone())
}

/// A user or group; `root` where absent.
pub fn account(text: Option<&Text>, what: &str, out: &mut Vec<Diagnostic>) -> AccountName {
    let root = || AccountName::parse("root").expect("root is a valid name");
    let Some(text) = text else { return root() };
    AccountName::parse(&text.value).unwrap_or_else(|error| {
        out.push(
            Diagnostic::new(
                &rules::invalid_account::RULE,
                format!("\"{}\" can't be a {what}: {error}", text.value.escape_debug()),
            )
            .at(text.span, "")
            .help("write the name as in getent(1), not a number: ids differ between machines"),
        );
        root()
    })
}

/// Warns of what is in a list twice.
pub fn duplicates(list: &Texts, what: &str, out: &mut Vec<Diagnostic>) {
    let mut seen = BTreeMap::new();
    for item in &list.value {
        if let Some(first) = seen.insert(item.value.as_str(), item.span) {
            out.push(
                Diagnostic::new(&rules::duplicate_entry::RULE, format!("{what} \"{}\" is listed twice", item.value))
                    .at(item.span, "again here")
                    .also(first, "first here")
                    .help("remove one of them"),
            );
        }
    }
}
