use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "missing-key",
    severity: Severity::Error,
    summary: "a required key is missing",
    explanation: "a required key is missing",
};
