use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "duplicate-path",
    severity: Severity::Error,
    summary: "one role or host gives the same path twice",
    explanation: "one role or host gives the same path twice",
};
