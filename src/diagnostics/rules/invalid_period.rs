use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-period",
    severity: Severity::Error,
    summary: "no time of the week",
    explanation: r#"A period is made of days and times on them: a day or a first and a last day, a blank, and one or several times from-to,
in hours and minutes with two digits each. Midnight at the end of a day is 24:00; what goes on after it is written for
the next day.

Refused:

    # debrole.toml
    [monitoring]
    period = "nights"
    [monitoring.periods.nights]
    days = ["monday-sunday 22:00-06:00"]

Accepted:

    # debrole.toml
    [monitoring]
    period = "nights"
    [monitoring.periods.nights]
    days = ["monday-sunday 00:00-06:00,22:00-24:00"]"#,
};
