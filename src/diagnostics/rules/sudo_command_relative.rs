use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "sudo-command-relative",
    severity: Severity::Error,
    summary: "a command without its path",
    explanation: r#"sudo compares whole paths. A bare name would be whatever is first in somebody's PATH (sudoers(5)).

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
    commands = ["systemctl reload nginx.service"]

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
