use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "unknown-period",
    severity: Severity::Error,
    summary: "a period that is not there",
    explanation: r#"[monitoring] and its escalations name a table of [monitoring.periods]. Without `period` it is always.

Refused:

    # debrole.toml
    [monitoring]
    period = "worktime"

Accepted:

    # debrole.toml
    [monitoring]
    period = "workhours"
    [monitoring.periods.workhours]
    days = ["monday-friday 09:00-17:30"]"#,
};
