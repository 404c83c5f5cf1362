use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-choice",
    severity: Severity::Error,
    summary: "none of the words that a key can have",
    explanation: r#"Some keys have one of a few words as their value.

Refused:

    # users/alice.toml
    home = "delete"

Accepted:

    # users/alice.toml
    home = "remove""#,
};
