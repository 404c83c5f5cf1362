use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-date",
    severity: Severity::Error,
    summary: "not a day of the calendar",
    explanation: r#"A day is written as year, month and day, with a hyphen between: 2027-12-31. It is a day in UTC, and access lasts to its
end.

Refused:

    # users/alice.toml
    expires = "2027-02-30"

Accepted:

    # users/alice.toml
    expires = 2027-02-28"#,
};
