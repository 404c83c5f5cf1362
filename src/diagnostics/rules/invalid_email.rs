use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-email",
    severity: Severity::Error,
    summary: "not a mail address",
    explanation: r#"The address alone, without the name: it is where the person is reached about their access.

Refused:

    # users/alice.toml
    email = "Alice Example <alice@example.org>"

Accepted:

    # users/alice.toml
    email = "alice@example.org""#,
};
