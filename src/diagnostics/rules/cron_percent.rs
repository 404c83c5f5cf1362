use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "cron-percent",
    severity: Severity::Error,
    summary: "a bare % in the command of a cron job",
    explanation: "a bare % in the command of a cron job",
};
