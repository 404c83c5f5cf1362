use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "contradicting-service",
    severity: Severity::Error,
    summary: "a unit that is to be masked and enabled or disabled",
    explanation: "a unit that is to be masked and enabled or disabled",
};
