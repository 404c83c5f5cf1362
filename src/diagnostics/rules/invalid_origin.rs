use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-origin",
    severity: Severity::Error,
    summary: "an origin or label that apt's tools can't match",
    explanation: "an origin or label that apt's tools can't match",
};
