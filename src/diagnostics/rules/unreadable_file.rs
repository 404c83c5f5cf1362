use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "unreadable-file",
    severity: Severity::Error,
    summary: "a file of the tree can't be read",
    explanation: "a file of the tree can't be read",
};
