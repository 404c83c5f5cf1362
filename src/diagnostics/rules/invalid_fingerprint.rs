use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-fingerprint",
    severity: Severity::Error,
    summary: "not the fingerprint of a key",
    explanation: "not the fingerprint of a key",
};
