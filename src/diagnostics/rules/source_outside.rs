use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "source-outside",
    severity: Severity::Error,
    summary: "a source outside of the role's folder",
    explanation: r#"`source` and `directory` name something in the folder beside the TOML file, by a relative path without "..". So
a role is its TOML file and its folder, and nothing of the machine that builds (such as a private key) can end
up in a package.

Refused:

    # roles/web.toml
    [[file]]
    path = "/etc/motd"
    source = "../../../../etc/shadow"

Accepted:

    # roles/web.toml
    [[file]]
    path = "/etc/motd"
    source = "motd"
    # roles/web/motd
    Hello"#,
};
