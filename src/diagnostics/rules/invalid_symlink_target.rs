use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-symlink-target",
    severity: Severity::Error,
    summary: "a symbolic link that can't point there",
    explanation: "a symbolic link that can't point there",
};
