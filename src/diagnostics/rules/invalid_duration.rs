use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-duration",
    severity: Severity::Error,
    summary: "not a duration, or not one between 1d and 90d",
    explanation: r#"A duration is a number and h, d or w. The repository's validity is between a day and 90 days: shorter, and a
weekend without a build stops all updates; longer, and an attacker may hold machines on an old state for that
long.

Refused:

    # debrole.toml
    [fleet]
    valid_for = "10"

Accepted:

    # debrole.toml
    [fleet]
    valid_for = "10d""#,
};
