use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "too-many-files",
    severity: Severity::Error,
    summary: "a role or host ships too many files",
    explanation: "a role or host ships too many files",
};
