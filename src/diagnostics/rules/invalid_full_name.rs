use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-full-name",
    severity: Severity::Error,
    summary: "a name that /etc/passwd can't hold",
    explanation: r#"The comment field of /etc/passwd ends at a ":", and chfn(1) and finger(1) end the name at a ",".

Refused:

    # users/alice.toml
    name = "Alice:Example"

Accepted:

    # users/alice.toml
    name = "Alice Example""#,
};
