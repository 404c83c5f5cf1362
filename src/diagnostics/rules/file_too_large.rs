use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "file-too-large",
    severity: Severity::Error,
    summary: "a file of the tree is too large",
    explanation: "a file of the tree is too large",
};
