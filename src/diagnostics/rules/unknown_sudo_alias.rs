use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "unknown-sudo-alias",
    severity: Severity::Error,
    summary: "an alias that is not there",
    explanation: r#"A word of capitals among the commands is the name of a list in [access.alias.NAME] of the same file.

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
    commands = ["RELOAD"]

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
