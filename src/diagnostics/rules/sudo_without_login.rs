use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "sudo-without-login",
    severity: Severity::Warning,
    summary: "a group with sudo that can't log in",
    explanation: r#"Nobody of the group has an account where the rule is, so it allows nobody anything.

Refused:

    # users/alice.toml
    uid = 2001

    # groups/webteam.toml
    members = ["alice"]

    # roles/web.toml
    [access]
    sudo = [{ group = "webteam", commands = ["/usr/bin/systemctl reload nginx.service"] }]

Accepted:

    # users/alice.toml
    uid = 2001

    # groups/webteam.toml
    members = ["alice"]

    # roles/web.toml
    [access]
    login = ["webteam"]
    sudo = [{ group = "webteam", commands = ["/usr/bin/systemctl reload nginx.service"] }]"#,
};
