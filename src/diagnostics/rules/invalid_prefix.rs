use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-prefix",
    severity: Severity::Error,
    summary: "a prefix that can't begin package names",
    explanation: "a prefix that can't begin package names",
};
