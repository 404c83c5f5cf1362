use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "file-name-not-utf8",
    severity: Severity::Error,
    summary: "a file name in the tree is not UTF-8",
    explanation: "a file name in the tree is not UTF-8",
};
