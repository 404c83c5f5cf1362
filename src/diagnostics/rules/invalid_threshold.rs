use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-threshold",
    severity: Severity::Error,
    summary: "a text that can't be a threshold",
    explanation: r#"A threshold is a number, a list of numbers with commas between, or a range of the plugin's. The checks that every machine has
compare with one number from 0 on.

Refused:

    # debrole.toml
    [monitoring.thresholds.disk]
    critical = "5%"

Accepted:

    # debrole.toml
    [monitoring.thresholds.disk]
    critical = 5"#,
};
