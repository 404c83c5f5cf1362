use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "sudo-all-without-reason",
    severity: Severity::Error,
    summary: "everything is allowed, and nothing says why",
    explanation: r#"Who may run everything is root. The reason is for whoever reviews the tree in a year; it is written into the file of
sudoers, too.

Refused:

    # users/alice.toml
    uid = 2001

    # groups/webteam.toml
    members = ["alice"]

    # roles/web.toml
    [access]
    login = ["webteam"]
    [[access.sudo]]
    group = "webteam"
    commands = ["ALL"]

Accepted:

    # users/alice.toml
    uid = 2001

    # groups/webteam.toml
    members = ["alice"]

    # roles/web.toml
    [access]
    login = ["webteam"]
    [[access.sudo]]
    group = "webteam"
    commands = ["ALL"]
    reason = "the machine is the team's own""#,
};
