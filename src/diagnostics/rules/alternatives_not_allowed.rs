use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "alternatives-not-allowed",
    severity: Severity::Error,
    summary: "alternatives in a relation field that takes none",
    explanation: "alternatives in a relation field that takes none",
};
