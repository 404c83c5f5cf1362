use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "dangling-symlink",
    severity: Severity::Error,
    summary: "a symbolic link in the tree points to nothing",
    explanation: "a symbolic link in the tree points to nothing",
};
