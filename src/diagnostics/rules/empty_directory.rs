use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "empty-directory",
    severity: Severity::Error,
    summary: "a shipped directory without a file in it",
    explanation: "a shipped directory without a file in it",
};
