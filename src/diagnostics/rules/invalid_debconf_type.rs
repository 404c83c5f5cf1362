use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-debconf-type",
    severity: Severity::Error,
    summary: "not a type of debconf question",
    explanation: "not a type of debconf question",
};
