use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "unknown-role",
    severity: Severity::Error,
    summary: "a role that there is none of",
    explanation: "a role that there is none of",
};
