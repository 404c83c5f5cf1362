use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "path-characters",
    severity: Severity::Error,
    summary: "a path with characters that a manifest can't hold",
    explanation: "a path with characters that a manifest can't hold",
};
