//! What is refused, and what is only warned of.

use super::*;

#[test]
fn a_machine_without_an_administrator_is_refused_whatever_the_reason() {
    let alice = |rest: &str, limits: &str| format!("{}{limits}", user(2001, "Alice", rest));
    let ended = alice("expires = 2026-11-21", "");
    let last_day = alice("expires = 2026-11-22", "");
    let key_ended = alice("", "expires = 2026-11-21\n");
    let elsewhere = alice("", "hosts = [\"web1.example.org\", \"web2.example.org\"]\n");
    let rule = |rule: &str| {
        format!(
            "summary = \"Base\"\n[access]\nlogin = [\"sysadmins\"]\n[[access.sudo]]\ngroup = \"sysadmins\"\nreason = \"x\"\n{rule}\n"
        )
    };
    let no_login =
        "summary = \"Base\"\n[access]\nsudo = [{ group = \"sysadmins\", commands = [\"ALL\"], reason = \"x\" }]\n";
    let webteam_has_all = "summary = \"Web\"\nincludes = [\"base\"]\n[access]\nlogin = [\"webteam\"]\nsudo = [{ group = \"webteam\", commands = [\"ALL\"], reason = \"x\" }]\n";
    let cases: [(&str, &[(&'static str, &str)], &[&str]); 11] = [
        ("ended", &[("users/alice.toml", &ended)], &["db1", "web1", "web2"]),
        ("the last day counts", &[("users/alice.toml", &last_day)], &[]),
        ("the key ended", &[("users/alice.toml", &key_ended)], &["db1", "web1", "web2"]),
        ("the key is good elsewhere", &[("users/alice.toml", &elsewhere)], &["db1"]),
        (
            "a password that nobody has",
            &[("roles/base.toml", &rule("commands = [\"ALL\"]\npassword = true"))],
            &["db1", "web1", "web2"],
        ),
        ("no shell", &[("roles/base.toml", &rule("commands = [\"ALL\"]\nnoexec = true"))], &["db1", "web1", "web2"]),
        (
            "not root",
            &[("roles/base.toml", &rule("commands = [\"ALL\"]\nrun_as = \"nobody\""))],
            &["db1", "web1", "web2"],
        ),
        ("one command", &[("roles/base.toml", &rule("commands = [\"/usr/bin/id\"]"))], &["db1", "web1", "web2"]),
        ("no login", &[("roles/base.toml", no_login)], &["db1", "web1", "web2"]),
        (
            "another group has it",
            &[("roles/web.toml", webteam_has_all), ("roles/base.toml", &rule("commands = [\"/usr/bin/id\"]"))],
            &["db1"],
        ),
        (
            "no members",
            &[("groups/sysadmins.toml", "gid = 3001\ndescription = \"Admins\"\nmembers = []\n")],
            &["db1", "web1", "web2"],
        ),
    ];
    for (what, changes, without) in cases {
        let read = read(&with(changes), TODAY);
        let named: Vec<&str> = read
            .diagnostics
            .iter()
            .filter(|d| d.rule.code == "no-administrator")
            .map(|d| d.message.split("administer ").nth(1).unwrap().split('.').next().unwrap())
            .collect();
        assert_eq!(named, without, "{what}: {:#?}", read.diagnostics);
    }
    // A fleet that leaves accounts alone is none of this rule's business.
    let plain = [("roles/base.toml", "summary = \"Base\"\n"), ("roles/web.toml", "summary = \"Web\"\n")];
    assert!(!read(&with(&plain), TODAY).codes().contains(&"no-administrator"));
}

#[test]
fn it_is_said_two_weeks_before_nobody_is_left() {
    let alice = user(2001, "Alice", "expires = 2026-11-30");
    let diagnostics = read(&with(&[("users/alice.toml", &alice)]), TODAY);
    assert_eq!(diagnostics.codes(), ["administrator-expires-soon"; 3]);
    let early = read(&with(&[("users/alice.toml", &alice)]), TODAY - 30 * 86_400);
    assert!(early.diagnostics.is_empty());
}
