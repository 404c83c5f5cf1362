use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "unknown-key",
    severity: Severity::Error,
    summary: "a key that the schema does not have",
    explanation: "a key that the schema does not have",
};
