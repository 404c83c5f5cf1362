//! Every rule's own examples, run: the refused one is refused with the rule's code and nothing else, and what is
//! shown is what `tests/ui/CODE.txt` holds; the accepted one passes without a word.
//!
//! `UPDATE_EXPECTED=1 cargo test --test it ui` writes the expected files anew.
//!
//! An example is a list of files, each below a line `# PATH`; `# PATH -> TARGET` is a symbolic link and `# PATH/` an
//! empty folder. What no example is about is added: the keys that debrole.toml must have, a role's summary.

use crate::fleet::snapshot;
use debrole::access::guard;
use debrole::diagnostics::{Diagnostic, Rule, Severity, render, rules};
use debrole::lower::{Keyring, lower, lower_in_part};
use debrole::names::UserName;
use debrole::resolve::understand;
use debrole::source::Sources;
use debrole::tree::Tree;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Everything that can be known of a tree without building: what `debrole check` does.
pub fn check(root: &Path) -> (bool, Vec<Diagnostic>, Sources) {
    let (mut tree, mut diagnostics) = Tree::read(root);
    let (understood, more) = understand(&mut tree);
    let failed = more.iter().any(Diagnostic::is_error);
    diagnostics.extend(more);
    let keyring = Keyring { binary: b"key".to_vec(), armored: b"key".to_vec() };
    if let Some(part) = understood.as_ref().filter(|_| failed) {
        let found = lower_in_part(part, &keyring, &diagnostics, &tree.sources);
        diagnostics.extend(found);
    }
    let model = understood.filter(|_| !failed);
    if let Some(model) = &model {
        diagnostics.extend(lower(model, &keyring).1);
        // 2026-11-22
        diagnostics.extend(guard::check(model, 1_795_305_600));
    }
    let accepted = model.is_some() && !diagnostics.iter().any(Diagnostic::is_error);
    (accepted, diagnostics, tree.sources)
}

const HEADER: &str = "# ";

/// The text blocks of an explanation, below `Refused:` and `Accepted:`.
fn blocks(rule: &Rule) -> Option<(String, String)> {
    let block = |title: &str| -> Option<String> {
        let start = rule.explanation.find(&format!("{title}\n\n    {HEADER}"))? + title.len() + 2;
        let lines = rule.explanation[start..].lines().take_while(|line| line.is_empty() || line.starts_with("    "));
        Some(lines.map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or(""))).collect())
    };
    Some((block("Refused:")?, block("Accepted:")?))
}

const TOPS: [&str; 8] =
    ["debrole.toml", "ledger.toml", "roles/", "hosts/", "packages/", "users/", "groups/", "secrets/"];

enum Part {
    File(String),
    Link(String),
    Folder,
}

fn parts(block: &str) -> Vec<(String, Part)> {
    let mut parts: Vec<(String, Part)> = Vec::new();
    for line in block.lines() {
        let heading = line.strip_prefix(HEADER).filter(|name| TOPS.iter().any(|top| name.starts_with(top)));
        match (heading, parts.last_mut()) {
            (Some(name), _) => match name.split_once(" -> ") {
                Some((name, target)) => parts.push((name.into(), Part::Link(target.into()))),
                None if name.ends_with('/') => parts.push((name.into(), Part::Folder)),
                None => parts.push((name.into(), Part::File(String::new()))),
            },
            (None, Some((_, Part::File(text)))) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, Some(_)) if line.is_empty() => {}
            (None, _) => panic!("a line of an example belongs to no file: {line:?}"),
        }
    }
    for (_, part) in &mut parts {
        if let Part::File(text) = part {
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
    }
    parts
}

const FLEET: [(&str, &str); 6] = [
    ("prefix", "\"pg\""),
    ("origin", "\"Example Project\""),
    ("label", "\"Example Project\""),
    ("maintainer", "\"Example Sysadmins <sysadmins@example.org>\""),
    ("uri", "\"http://apt.example.org\""),
    ("architectures", "[\"amd64\"]"),
];

/// A debrole.toml with what an example leaves out.
pub fn debrole_toml(example: &str) -> String {
    let mut out = String::new();
    if !example.lines().any(|line| line.starts_with("schema")) {
        out.push_str("schema = 1\n");
    }
    let missing = || FLEET.iter().filter(|(key, _)| !example.lines().any(|line| line.starts_with(&format!("{key} ="))));
    let mut fleet = false;
    for line in example.lines() {
        out.push_str(line);
        out.push('\n');
        if line == "[fleet]" {
            fleet = true;
            out.extend(missing().map(|(key, value)| format!("{key} = {value}\n")));
        }
    }
    if !fleet {
        out.push_str("[fleet]\n");
        out.extend(missing().map(|(key, value)| format!("{key} = {value}\n")));
    }
    if !example.contains("[release.") {
        out.push_str("[release.bookworm]\n");
    }
    out
}

/// What an example on people leaves out: keys that a user or a group must have, a group for the users, a role that lets
/// the groups in and makes them administrators, the ledger.
fn with_people(mut parts: Vec<(String, Part)>) -> Vec<(String, Part)> {
    fn stem<'n>(name: &'n str, folder: &str) -> Option<&'n str> {
        let stem = name.strip_prefix(folder)?.strip_suffix(".toml")?;
        UserName::parse(stem).is_ok().then_some(stem)
    }
    let names = |parts: &[(String, Part)], folder: &str| -> Vec<String> {
        parts.iter().filter_map(|(name, _)| stem(name, folder).map(str::to_owned)).collect()
    };
    let users = names(&parts, "users/");
    if users.is_empty() && names(&parts, "groups/").is_empty() {
        return parts;
    }
    if names(&parts, "groups/").is_empty() {
        parts.push(("groups/everyone.toml".into(), Part::File(String::new())));
    }
    let groups = names(&parts, "groups/");
    let granting = |part: &(String, Part)| matches!(&part.1, Part::File(text) if text.contains("[access"));
    if !parts.iter().any(granting) {
        let access = format!(
            "[access]\nlogin = {groups:?}\n{}",
            groups
                .iter()
                .map(|group| format!(
                    "[[access.sudo]]\ngroup = {group:?}\ncommands = [\"ALL\"]\nreason = \"administrators\"\n"
                ))
                .collect::<String>()
        );
        parts.push(("roles/login.toml".into(), Part::File(access)));
    }
    let mut ledger = BTreeMap::from([("users", String::new()), ("groups", String::new())]);
    for (name, part) in &mut parts {
        let Part::File(text) = part else { continue };
        let mut add = |key: &str, value: String| {
            if !text.lines().take_while(|line| !line.starts_with('[')).any(|line| line.starts_with(&format!("{key} =")))
            {
                text.insert_str(0, &format!("{key} = {value}\n"));
            }
        };
        let number = |text: &str, key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("{key} = "))?.parse::<u32>().ok());
            line.unwrap_or_default()
        };
        if let Some(user) = stem(name, "users/") {
            add("name", format!("\"{} Example\"", user.to_uppercase()));
            add("uid", (2001 + users.iter().position(|one| one == user).unwrap()).to_string());
            if !text.contains("[[key]]") && !text.contains("key = []") {
                let blob: Vec<u8> =
                    b"\0\0\0\x0bssh-ed25519\0\0\0\x20".iter().copied().chain([user.as_bytes()[0]; 32]).collect();
                text.push_str(&format!("\n[[key]]\nkey = \"ssh-ed25519 {}\"\n", debrole::ssh_key::encode(&blob)));
            }
            let uid = number(text, "uid");
            if uid > 0 {
                ledger.get_mut("users").unwrap().push_str(&format!("{uid} = {user:?}\n"));
            }
        } else if let Some(group) = stem(name, "groups/") {
            add("members", format!("{users:?}"));
            add("description", format!("\"The group {group}\""));
            add("gid", (3001 + groups.iter().position(|one| one == group).unwrap()).to_string());
            ledger.get_mut("groups").unwrap().push_str(&format!("{} = {group:?}\n", number(text, "gid")));
        }
    }
    if !parts.iter().any(|(name, _)| name == "ledger.toml") {
        let text = format!("[users]\n{}\n[groups]\n{}", ledger["users"], ledger["groups"]);
        parts.push(("ledger.toml".into(), Part::File(text)));
    }
    parts
}

/// Makes an example's tree below `root`.
fn make(block: &str, root: &Path) {
    let parts = with_people(parts(block));
    if !parts.iter().any(|(name, _)| name == "debrole.toml") {
        fs::write(root.join("debrole.toml"), debrole_toml("")).unwrap();
    }
    for (name, part) in parts {
        let path = root.join(&name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match part {
            Part::Folder => fs::create_dir_all(path).unwrap(),
            Part::Link(target) => std::os::unix::fs::symlink(target, path).unwrap(),
            Part::File(text) => {
                let role =
                    name.strip_prefix("roles/").and_then(|n| n.strip_suffix(".toml")).filter(|n| !n.contains('/'));
                let text = match role {
                    _ if name == "debrole.toml" => debrole_toml(&text),
                    Some(role) if !text.contains("summary =") => format!("summary = \"The role {role}\"\n{text}"),
                    _ => text,
                };
                fs::write(path, text).unwrap();
            }
        }
    }
}

fn expected(code: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui").join(format!("{code}.txt"))
}

#[test]
fn examples_of_rules_are_refused_and_accepted_as_they_say() {
    let mut wrong = Vec::new();
    let mut run = 0;
    for rule in rules::ALL {
        let Some((refused, accepted)) = blocks(rule) else { continue };
        run += 1;
        let dir = tempfile::tempdir().unwrap();
        make(&refused, dir.path());
        let (passed, diagnostics, sources) = check(dir.path());
        let shown = render::text(&diagnostics, &sources, render::Style::default());
        let codes: BTreeSet<&str> = diagnostics.iter().map(|d| d.rule.code).collect();
        if codes != BTreeSet::from([rule.code]) {
            wrong.push(format!("{}: the refused example gives {codes:?}:\n{shown}", rule.code));
        }
        if passed != (rule.severity == Severity::Warning) {
            wrong.push(format!("{}: the refused example is built all the same: {passed}", rule.code));
        }
        if diagnostics.iter().any(|d| d.help.is_empty()) {
            wrong.push(format!("{}: a diagnostic does not say what to do:\n{shown}", rule.code));
        }
        let file = expected(rule.code);
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&file, &shown).unwrap();
        } else if fs::read_to_string(&file).unwrap_or_default() != shown {
            wrong.push(format!("{} differs from what is shown:\n{shown}", file.display()));
        }

        let dir = tempfile::tempdir().unwrap();
        make(&accepted, dir.path());
        let (passed, diagnostics, sources) = check(dir.path());
        if !passed || !diagnostics.is_empty() {
            let shown = render::text(&diagnostics, &sources, render::Style::default());
            wrong.push(format!("{}: the accepted example gives:\n{shown}", rule.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(run >= 60, "only {run} rules have examples that can be run");
}

/// The same by the program, beside a repository that is published already.
#[test]
fn what_is_refused_publishes_nothing_and_loses_nothing() {
    let debrole = |tree: &Path, arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_debrole")).arg("-C").arg(tree).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let good = tempfile::Builder::new().prefix("debrole-").tempdir().unwrap();
    make("# roles/base.toml\ndepends = [\"adduser\"]\n", good.path());
    let (status, said) = debrole(good.path(), &["key", "init"]);
    assert_eq!(status, Some(0), "{said}");
    let (status, said) = debrole(good.path(), &["build", "--no-gate", "--first-publish"]);
    assert_eq!(status, Some(0), "{said}");
    let out = good.path().join("repo-out");
    let before = snapshot(&out);
    assert!(before.keys().any(|path| path.starts_with("pool/roles/pg-role-base_")));

    let mut refused = 0;
    for rule in rules::ALL.iter().filter(|rule| rule.severity == Severity::Error) {
        let Some((example, twin)) = blocks(rule) else { continue };
        let bad = tempfile::tempdir().unwrap();
        make(&example, bad.path());
        std::os::unix::fs::symlink(good.path().join("keys"), bad.path().join("keys")).unwrap();
        let (status, said) = debrole(bad.path(), &["build", "--no-gate", "--out", out.to_str().unwrap()]);
        assert_eq!(status, Some(1), "{}: {said}", rule.code);
        assert!(said.contains(&format!("error[{}]", rule.code)), "{}: {said}", rule.code);
        assert_eq!(snapshot(&out), before, "{}: the repository is another", rule.code);
        let accepted = tempfile::tempdir().unwrap();
        make(&twin, accepted.path());
        let (status, said) = debrole(accepted.path(), &["check"]);
        assert_eq!(status, Some(0), "{}: {said}", rule.code);
        refused += 1;
    }
    assert!(refused >= 60, "only {refused} kinds of bad input");
}

#[test]
fn expected_files_belong_to_rules() {
    for entry in fs::read_dir(expected("x").parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        let code = path.file_stem().unwrap().to_str().unwrap();
        assert!(
            rules::find(code).is_some_and(|rule| blocks(rule).is_some()),
            "{} is of no rule's example",
            path.display()
        );
    }
}
#[test]
fn rules_are_sorted_named_after_their_files_and_explained() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/diagnostics/rules");
    let mut files: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".rs").filter(|name| *name != "mod").map(|name| name.replace('_', "-")))
        .collect();
    files.sort();
    let mut codes: Vec<&str> = rules::ALL.iter().map(|rule| rule.code).collect();
    codes.sort();
    assert_eq!(codes, files);
    for rule in rules::ALL {
        let code = rule.code;
        assert!(rule.explanation.contains("\nRefused"), "{code} has no example of what is refused");
        assert!(rule.explanation.contains("\nAccepted"), "{code} has no example of what is accepted");
        assert!(!rule.summary.ends_with('.') && !rule.summary.contains('\n'), "{code}: the summary is one phrase");
        assert!(std::ptr::eq(rules::find(code).unwrap(), *rule));
    }
}

/// Rules whose examples are no trees of text (keys, clocks, repositories, special files) are shown by other tests,
/// which name them.
#[test]
fn every_rule_is_seen_to_refuse() {
    let mut texts = String::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("tests/it"), root.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests/it/ui.rs") {
                let text = fs::read_to_string(&path).unwrap();
                let tests = if path.starts_with(root.join("tests")) {
                    0
                } else {
                    text.find("#[cfg(test)]").unwrap_or(text.len())
                };
                texts.push_str(&text[tests..]);
            }
        }
    }
    let unseen: Vec<&str> = rules::ALL
        .iter()
        .filter(|rule| blocks(rule).is_none())
        .map(|rule| rule.code)
        .filter(|code| {
            let quoted = format!("\"{code}");
            let name = format!("rules::{}::", code.replace('-', "_"));
            // Not the beginning of a longer code.
            let mut next = texts.match_indices(&quoted).map(|(at, _)| texts[at + quoted.len()..].chars().next());
            !next.any(|c| c.is_some_and(|c| c != '-' && !c.is_alphanumeric())) && !texts.contains(&name)
        })
        .collect();
    assert!(unseen.is_empty(), "no test shows these rules refusing something: {unseen:?}");
}
