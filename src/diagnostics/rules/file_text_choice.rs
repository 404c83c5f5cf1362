use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "file-text-choice",
    severity: Severity::Error,
    summary: "a file or unit without exactly one source of its text",
    explanation: "a file or unit without exactly one source of its text",
};
