use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "unknown-role",
    severity: Severity::Error,
    summary: "a role that there is none of",
    explanation: r#"A role is a file roles/NAME.toml; `includes` and `roles` name roles by NAME.

Refused:

    # roles/web.toml
    # hosts/web1.example.org.toml
    roles = ["wbe"]
    release = "bookworm"

Accepted:

    # roles/web.toml
    # hosts/web1.example.org.toml
    roles = ["web"]
    release = "bookworm""#,
};
