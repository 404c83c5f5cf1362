use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "period-unused",
    severity: Severity::Warning,
    summary: "a period that nothing uses",
    explanation: r#"A period of [monitoring.periods] does something only where [monitoring] or an escalation names it.

Refused:

    # debrole.toml
    [monitoring.periods.workhours]
    days = ["monday-friday 09:00-17:30"]

Accepted:

    # debrole.toml
    [monitoring]
    period = "workhours"
    [monitoring.periods.workhours]
    days = ["monday-friday 09:00-17:30"]"#,
};
