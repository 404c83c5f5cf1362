use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-operator",
    severity: Severity::Error,
    summary: "a version operator that is deprecated or that there is none of",
    explanation: "a version operator that is deprecated or that there is none of",
};
