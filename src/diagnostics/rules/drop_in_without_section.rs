use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "drop-in-without-section",
    severity: Severity::Error,
    summary: "a systemd drop-in with settings in no section",
    explanation: "a systemd drop-in with settings in no section",
};
