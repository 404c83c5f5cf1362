use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "threshold-clash",
    severity: Severity::Error,
    summary: "two roles of a machine with other thresholds",
    explanation: r#"Where two roles of a machine give the same check other thresholds, and neither includes the other, nobody could tell which
holds: the machine has to say it.

Refused:

    # roles/web.toml
    [monitoring.thresholds.disk]
    warning = 20

    # roles/db.toml
    [monitoring.thresholds.disk]
    warning = 30

    # hosts/one.example.org.toml
    roles = ["web", "db"]
    release = "bookworm"

Accepted:

    # roles/web.toml
    [monitoring.thresholds.disk]
    warning = 20

    # roles/db.toml
    [monitoring.thresholds.disk]
    warning = 30

    # hosts/one.example.org.toml
    roles = ["web", "db"]
    release = "bookworm"
    [monitoring.thresholds.disk]
    warning = 25"#,
};
