use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "self-relation",
    severity: Severity::Error,
    summary: "a package with a relation to itself",
    explanation: "a package with a relation to itself",
};
