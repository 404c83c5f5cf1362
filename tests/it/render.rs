//! How diagnostics are shown.

use debrole::diagnostics::render::{Style, count, json, text};
use debrole::diagnostics::{Diagnostic, rules};
use debrole::source::{FileId, Sources, Span};

fn sources() -> (Sources, FileId, FileId) {
    let mut sources = Sources::default();
    let long = (1..=3000).map(|i| format!("line {i}\n")).collect::<String>();
    let a = sources.add("roles/a.toml", "x = 1\n\u{e4}\u{1f600} = \"tab\there\"\nz = 3");
    let b = sources.add("roles/b.toml", long);
    (sources, a, b)
}

fn error(message: &str) -> Diagnostic {
    Diagnostic::new(&rules::unknown_key::RULE, message)
}

#[test]
fn nothing_is_shown_of_nothing() {
    let (sources, ..) = sources();
    assert_eq!(text(&[], &sources, Style::default()), "");
    assert_eq!(json(&[], &sources), "[]\n");
    assert_eq!(count(&[]), None);
}

#[test]
fn several_files_a_last_line_without_a_newline_and_a_long_file() {
    let (sources, a, b) = sources();
    let at = sources.text(b).find("line 2999").unwrap();
    let found = [error("wrong")
        .at(Span::new(a, 26..27), "here")
        .also(Span::new(b, at..at + 9), "and here")
        .help("mend it")
        .note("why")];
    assert_eq!(
        text(&found, &sources, Style::default()),
        "\
error[unknown-key]: wrong
    --> roles/a.toml:3:1
     |
   3 | z = 3
     | ^ here
     |
    ::: roles/b.toml:2999:1
     |
2999 | line 2999
     | --------- and here
     |
     = help: mend it
     = note: why

1 error; `debrole explain unknown-key` says more
"
    );
}

#[test]
fn the_same_of_several_places_is_said_once() {
    let (sources, _, b) = sources();
    let at = |line: usize| sources.text(b).find(&format!("line {line}\n")).unwrap();
    let found: Vec<_> =
        [2, 3, 9].map(|line| error("wrong").at(Span::new(b, at(line)..at(line) + 4), "this").help("mend it")).into();
    let shown = text(&found, &sources, Style::default());
    assert_eq!(shown.matches("error[unknown-key]").count(), 1);
    assert_eq!(shown.matches("^^^^ this").count(), 3, "{shown}");
    assert!(shown.ends_with("3 errors; `debrole explain unknown-key` says more\n"));
}

#[test]
fn any_span_is_drawn() {
    let (sources, a, b) = sources();
    let ends = sources.text(a).len();
    for range in [0..0, ends..ends, 6..6, 7..9, 6..14, 0..ends, ends + 5..ends + 9, 5..6, 12..10_000] {
        let shown = text(&[error("wrong").at(Span::new(a, range.clone()), "")], &sources, Style::default());
        assert!(shown.contains("roles/a.toml:"), "{range:?}: {shown}");
    }
    let _ = text(&[error("wrong").at(Span::new(b, 0..20_000), "all of it")], &sources, Style::default());
}

#[test]
fn colours_only_when_asked_for_and_control_characters_never() {
    let (sources, a, _) = sources();
    let found = [error("has \u{1b}[31m in it").at(Span::new(a, 0..1), "\u{1b}]0;title\u{7}")];
    assert!(!text(&found, &sources, Style::default()).contains('\u{1b}'));
    let coloured = text(&found, &sources, Style { color: true, width: 80 });
    assert!(coloured.contains("\u{1b}[") && !coloured.contains("\u{1b}]0;title"));
}

#[test]
fn json_has_the_places() {
    let (sources, a, b) = sources();
    let warning = Diagnostic::new(&rules::unused_file::RULE, "unused").in_file("roles/web/x");
    let wrong = error("wrong").at(Span::new(a, 6..8), "here").also(Span::new(b, 7..13), "there").help("mend it");
    let shown: serde_json::Value = serde_json::from_str(&json(&[warning, wrong], &sources)).unwrap();
    assert_eq!(
        shown,
        serde_json::json!([
            {
                "code": "unknown-key", "severity": "error", "message": "wrong",
                "file": "roles/a.toml", "line": 2, "column": 1, "end_line": 2, "end_column": 2,
                "labels": [
                    { "file": "roles/a.toml", "line": 2, "column": 1, "end_line": 2, "end_column": 2, "text": "here", "primary": true },
                    { "file": "roles/b.toml", "line": 2, "column": 1, "end_line": 2, "end_column": 7, "text": "there", "primary": false },
                ],
                "help": ["mend it"], "notes": [],
            },
            { "code": "unused-file", "severity": "warning", "message": "unused", "file": "roles/web/x", "labels": [], "help": [], "notes": [] },
        ])
    );
}

#[test]
fn a_file_name_with_a_newline_says_nothing_of_its_own() {
    let (sources, _, _) = sources();
    let shown = text(&[error("wrong").in_file("roles/a\nerror[fake]: \u{1b}[31mx")], &sources, Style::default());
    assert!(shown.contains("\n--> roles/a␊error[fake]: ␛[31mx\n"), "{shown}");
}
