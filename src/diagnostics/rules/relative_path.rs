use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "relative-path",
    severity: Severity::Error,
    summary: "a path on a machine that does not begin with /",
    explanation: r#"A path on a machine is absolute. `source` and `directory` are the keys that name something in the tree.

Refused:

    # roles/web.toml
    [[file]]
    path = "etc/motd"
    content = "Hello\n"

Accepted:

    # roles/web.toml
    [[file]]
    path = "/etc/motd"
    content = "Hello\n""#,
};
