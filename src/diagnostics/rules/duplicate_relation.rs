use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "duplicate-relation",
    severity: Severity::Warning,
    summary: "a relation field lists the same relation twice",
    explanation: "a relation field lists the same relation twice",
};
