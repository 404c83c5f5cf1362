use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-relation",
    severity: Severity::Error,
    summary: "not a relation between packages",
    explanation: "not a relation between packages",
};
