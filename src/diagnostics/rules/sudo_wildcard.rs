use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "sudo-wildcard",
    severity: Severity::Warning,
    summary: "a pattern in the arguments of a command",
    explanation: r#"A "*" in the arguments matches blanks and slashes: "/usr/bin/systemctl restart web*" allows
"/usr/bin/systemctl restart web1 ssh", too (sudoers(5)).

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
    commands = ["/usr/bin/systemctl restart web*"]

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
    commands = ["/usr/bin/systemctl restart web1.service", "/usr/bin/systemctl restart web2.service"]"#,
};
