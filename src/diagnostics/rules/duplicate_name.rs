use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "duplicate-name",
    severity: Severity::Error,
    summary: "two tables for the same unit, job or question",
    explanation: "two tables for the same unit, job or question",
};
