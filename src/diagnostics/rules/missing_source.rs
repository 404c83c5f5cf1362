use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "missing-source",
    severity: Severity::Error,
    summary: "a source file or folder is not there",
    explanation: "a source file or folder is not there",
};
