use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-duration",
    severity: Severity::Error,
    summary: "not a duration, or shorter or longer than makes sense",
    explanation: r#"A duration is a number and a unit: m, h, d or w. The repository's validity is between a day and 90 days: shorter, and a
weekend without a build stops all updates; longer, and an attacker may hold machines on an old state for that
long. Machines ask for a new keyring at least once a day, for all packages at least once in 7 days, and for neither more
often than every minute.

Refused:

    # debrole.toml
    [fleet]
    valid_for = "10"

Accepted:

    # debrole.toml
    [fleet]
    valid_for = "10d""#,
};
