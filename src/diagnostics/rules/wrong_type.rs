use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "wrong-type",
    severity: Severity::Error,
    summary: "a value of another type than the key has",
    explanation: "a value of another type than the key has",
};
