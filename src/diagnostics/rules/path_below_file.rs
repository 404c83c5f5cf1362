use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "path-below-file",
    severity: Severity::Error,
    summary: "a path below another that is not a directory",
    explanation: "a path below another that is not a directory",
};
