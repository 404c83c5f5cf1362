use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "inverted-thresholds",
    severity: Severity::Error,
    summary: "a warning that could never be one",
    explanation: r#"Where a higher number is worse, WARNING begins below CRITICAL; where a lower one is, above. Exchanged, a problem is CRITICAL
before it can be WARNING. The whole of it is looked at: what the fleet, the roles and the machine say together.

Refused:

    # debrole.toml
    [monitoring.thresholds.disk]
    warning  = 5
    critical = 10

Accepted:

    # debrole.toml
    [monitoring.thresholds.disk]
    warning  = 10
    critical = 5"#,
};
