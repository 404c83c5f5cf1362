use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "symlink-leaves-tree",
    severity: Severity::Error,
    summary: "a symbolic link that leads out of the tree",
    explanation: "a symbolic link that leads out of the tree",
};
