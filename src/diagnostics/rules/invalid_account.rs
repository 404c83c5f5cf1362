use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-account",
    severity: Severity::Error,
    summary: "not the name of a user or group",
    explanation: "not the name of a user or group",
};
