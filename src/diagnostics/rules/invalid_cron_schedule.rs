use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-cron-schedule",
    severity: Severity::Error,
    summary: "a schedule that cron does not read",
    explanation: "a schedule that cron does not read",
};
