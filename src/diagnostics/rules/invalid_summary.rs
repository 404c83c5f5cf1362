use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-summary",
    severity: Severity::Error,
    summary: "a summary that is not a package's synopsis",
    explanation: "a summary that is not a package's synopsis",
};
