use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-sudo-command",
    severity: Severity::Error,
    summary: "not a command that sudo compares",
    explanation: r#"sudo runs no shell: it compares the command's path and its arguments with the rule, and starts it. Quotes, variables,
pipes, doubled blanks and patterns of paths mean nothing there, or something else than they seem to.

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
    commands = ["/usr/bin/systemctl  reload nginx.service"]

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
    commands = ["/usr/bin/systemctl reload nginx.service"]"#,
};
