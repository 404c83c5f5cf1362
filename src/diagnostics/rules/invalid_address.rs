use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-address",
    severity: Severity::Error,
    summary: "not an IP address of a machine",
    explanation: "not an IP address of a machine",
};
