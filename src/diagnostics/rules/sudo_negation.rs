use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "sudo-negation",
    severity: Severity::Error,
    summary: "a command that is taken away again",
    explanation: r#"Exceptions hold nobody back: a copy or a link of the command has another path, and a shell runs it all the same
(sudoers(5), "Limitations of the '!' operator").

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
    commands = ["/usr/bin/id", "!/usr/bin/su"]

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
    commands = ["/usr/bin/id"]"#,
};
