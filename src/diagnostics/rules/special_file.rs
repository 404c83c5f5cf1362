use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "special-file",
    severity: Severity::Error,
    summary: "a pipe, socket or device in the tree",
    explanation: "a pipe, socket or device in the tree",
};
