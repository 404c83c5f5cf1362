use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-cron-name",
    severity: Severity::Error,
    summary: "a cron job's name that cron would ignore",
    explanation: "a cron job's name that cron would ignore",
};
