use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "service-without-effect",
    severity: Severity::Error,
    summary: "a [[service]] that changes nothing",
    explanation: "a [[service]] that changes nothing",
};
