use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "sudo-alias-unused",
    severity: Severity::Warning,
    summary: "an alias that no rule uses",
    explanation: r#"A list of commands that no rule names allows nothing.

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
    commands = ["/usr/bin/systemctl reload nginx.service"]
    [access.alias.RELOAD]
    commands = ["/usr/bin/systemctl reload varnish.service"]

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
    commands = ["/usr/bin/systemctl reload nginx.service", "RELOAD"]
    [access.alias.RELOAD]
    commands = ["/usr/bin/systemctl reload varnish.service"]"#,
};
