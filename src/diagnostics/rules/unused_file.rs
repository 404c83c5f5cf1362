use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "unused-file",
    severity: Severity::Warning,
    summary: "a shipped file that nothing uses",
    explanation: "a shipped file that nothing uses",
};
