use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-sudo-alias",
    severity: Severity::Error,
    summary: "not a name for a list of commands",
    explanation: r#"Aliases are named by upper case letters, digits and "_", a letter first (sudoers(5)). ALL has a meaning of its own.

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
    commands = ["/usr/bin/id"]
    [access.alias.reload]
    commands = ["/usr/bin/systemctl reload nginx.service"]

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
    commands = ["RELOAD"]
    [access.alias.RELOAD]
    commands = ["/usr/bin/systemctl reload nginx.service"]"#,
};
