use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-duration",
    severity: Severity::Error,
    summary: "not a duration, or not one between 1d and 90d",
    explanation: "not a duration, or not one between 1d and 90d",
};
