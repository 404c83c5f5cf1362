use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "unknown-check",
    severity: Severity::Error,
    summary: "a check that is not there",
    explanation: r#"Thresholds and skips name a check: one that every machine has by its name, a role's as "ROLE/CHECK", a host's own as
"host/CHECK". The fleet and roles give thresholds to those that every machine has; a role's own are in its [[check]].

Refused:

    # debrole.toml
    [monitoring.thresholds.disks]
    critical = 3

Accepted:

    # debrole.toml
    [monitoring.thresholds.disk]
    critical = 3"#,
};
