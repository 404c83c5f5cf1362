use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "empty-text",
    severity: Severity::Error,
    summary: "a command, script, value or list that must not be empty is",
    explanation: "a command, script, value or list that must not be empty is",
};
