use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "duplicate-entry",
    severity: Severity::Warning,
    summary: "a list has the same entry twice",
    explanation: "a list has the same entry twice",
};
