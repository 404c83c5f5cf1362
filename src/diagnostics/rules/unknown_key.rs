use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "unknown-key",
    severity: Severity::Error,
    summary: "a key that the schema does not have",
    explanation: r#"No key is ignored: a misspelt one would silently have no effect. The reference lists the keys of every table.

Refused:

    # roles/web.toml
    dependz = ["nginx"]

Accepted:

    # roles/web.toml
    depends = ["nginx"]"#,
};
