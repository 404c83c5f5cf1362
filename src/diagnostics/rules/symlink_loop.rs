use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "symlink-loop",
    severity: Severity::Error,
    summary: "a symbolic link that leads back to itself",
    explanation: "a symbolic link that leads back to itself",
};
