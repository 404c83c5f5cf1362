use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-debconf-question",
    severity: Severity::Error,
    summary: "not the name of a debconf question",
    explanation: "not the name of a debconf question",
};
