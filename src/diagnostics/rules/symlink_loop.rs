use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "symlink-loop",
    severity: Severity::Error,
    summary: "a symbolic link that leads back to itself",
    explanation: r#"Following the link never ends: it points to itself, to a link that points back, or to a folder that it is in.

Refused:

    # roles/web.toml
    # roles/web/a -> b
    # roles/web/b -> a
    # roles/web/sub/up -> ..

Accepted:

    # roles/web.toml
    [[file]]
    path = "/etc/motd"
    source = "a"
    # roles/web/a
    Hello"#,
};
