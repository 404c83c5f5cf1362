use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-host-name",
    severity: Severity::Error,
    summary: "a file in hosts/ whose name is not a fully qualified domain name",
    explanation: r#"A machine is known by its fully qualified domain name, in lower case: hosts/web1.example.org.toml. The name
becomes a part of its package's name, and the machine compares it with its own.

Refused:

    # hosts/Web1.toml
    roles = []
    release = "bookworm"

Accepted:

    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm""#,
};
