//! What README.md shows of the tour is what the program says: each block is run on a copy of the example fleet.

use crate::machine::packages::example_fleet;
use std::path::Path;
use std::process::Command;

/// What debrole says on a tree, and its prompt before it.
fn said(tree: &Path, arguments: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_debrole"));
    command.arg("-C").arg(tree).args(arguments.split(' ')).env_remove("SOURCE_DATE_EPOCH");
    let output = command.output().expect("it starts");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A line without what follows from the day, the place and the machine. Of the gate, which needs a mirror, nothing stays.
fn timeless(line: &str) -> Option<String> {
    if line.starts_with("  gate: ") || line.starts_with("  not run: the gate") {
        return None;
    }
    let words = line.trim_end().split(' ').map(|word| {
        let name = word.trim_end_matches([':', ',']);
        let is_version = name.len() > 9
            && name.as_bytes()[8] == b'.'
            && name.bytes().enumerate().all(|(at, byte)| byte.is_ascii_digit() || at == 8);
        match name {
            _ if is_version => "VERSION".to_owned() + &word[name.len()..],
            _ if is_day(name) => "DAY".to_owned(),
            _ if name.ends_with("/repo-out") => "OUT".to_owned() + &word[name.len()..],
            _ => word.to_owned(),
        }
    });
    let line = words.collect::<Vec<_>>().join(" ");
    Some(match line.split_once("valid until ") {
        Some((before, _)) => before.to_owned(),
        None => line,
    })
}

/// YYYY-MM-DD, and what ends a sentence about it.
fn is_day(word: &str) -> bool {
    let day = word.trim_end_matches(')');
    day.len() == 10 && day.split('-').count() == 3 && day.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}

/// Whether `said` is what `shown` has; a line `…` stands for any others.
fn fits(shown: &[String], said: &[String]) -> bool {
    match shown.split_first() {
        None => said.is_empty(),
        Some((first, rest)) if first.trim() == "…" => (0..=said.len()).any(|skipped| fits(rest, &said[skipped..])),
        Some((first, rest)) => said.first() == Some(first) && fits(rest, &said[1..]),
    }
}

#[track_caller]
fn shows(readme: &str, begin: &str, said: &str) {
    let blocks = readme.split("\n```\n").filter(|block| block.starts_with(begin));
    let lines = |text: &str| text.lines().filter_map(timeless).collect::<Vec<_>>();
    let said: Vec<String> = lines(said.trim_end());
    let shown: Vec<Vec<String>> = blocks.map(lines).collect();
    assert_eq!(shown.len(), 1, "README.md has one block that begins with {begin:?}");
    assert!(fits(&shown[0], &said), "README.md shows\n{}\n--- and it is\n{}", shown[0].join("\n"), said.join("\n"));
}

#[test]
fn the_tour_is_what_the_program_says() {
    let from = example_fleet();
    let readme = std::fs::read_to_string(from.join("README.md")).expect("README.md");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let tree = directory.path();
    for name in ["debrole.toml", "ledger.toml", "roles", "hosts", "groups", "users"] {
        assert!(
            Command::new("cp").arg("-a").arg(from.join(name)).arg(tree).status().is_ok_and(|s| s.success()),
            "{name}"
        );
    }
    said(tree, "key init");
    shows(&readme, "pg-", &said(tree, "build --no-gate --first-publish"));
    shows(&readme, "$ debrole show web\n", &("$ debrole show web\n".to_owned() + &said(tree, "show web")));

    let role = tree.join("roles/web.toml");
    let right = std::fs::read_to_string(&role).expect("a role");
    std::fs::write(&role, right.replacen("summary", "sumary", 1)).expect("writable");
    shows(&readme, "$ debrole check\n", &("$ debrole check\n".to_owned() + &said(tree, "check")));
    std::fs::write(&role, right).expect("writable");

    let vcl = tree.join("roles/web/web.vcl");
    let text = std::fs::read_to_string(&vcl).expect("a file of the role");
    std::fs::write(&vcl, text + "# changed\n").expect("writable");
    let steps = ["plan", "build --no-gate"]
        .map(|step| format!("$ debrole {}\n{}", step.split(' ').next().unwrap_or_default(), said(tree, step)));
    shows(&readme, "$ debrole plan\n", &steps.concat());
    let home = tree.join("keys/private");
    let _ = Command::new("gpgconf").arg("--homedir").arg(home).args(["--kill", "all"]).status();
}

#[test]
fn a_block_that_says_something_else_does_not_fit() {
    let lines = |text: &str| text.lines().filter_map(timeless).collect::<Vec<_>>();
    let said =
        lines("a 20261122.1: new\nb\nPublished in /tmp/x/repo-out: 3 packages, valid until 2026-12-02 21:42 UTC");
    assert!(fits(&lines("a 20270101.7: new\n…\nPublished in /srv/repo-out: 3 packages, valid until then"), &said));
    assert!(!fits(&lines("a 20270101.7: new\n…\nPublished in /srv/repo-out: 4 packages, valid until then"), &said));
    assert!(!fits(&lines("a 20270101.7: new\nPublished in /srv/repo-out: 3 packages, valid until then"), &said));
    assert!(!fits(&lines("a 20270101.7: changed\n…"), &said));
}
