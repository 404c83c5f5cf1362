use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "number-out-of-range",
    severity: Severity::Error,
    summary: "a number that makes no sense where it stands",
    explanation: r#"The smallest and the largest number that a key takes are in `debrole reference`. Of each path at least one copy is
kept, and for at least a day: else what somebody changed on a machine would be lost the moment that it is repaired.

Refused:

    # debrole.toml
    [drift]
    copies = 0

Accepted:

    # debrole.toml
    [drift]
    copies = 1"#,
};
