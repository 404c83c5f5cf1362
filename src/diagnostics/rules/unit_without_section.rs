use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "unit-without-section",
    severity: Severity::Error,
    summary: "a unit file without the section of its type",
    explanation: "a unit file without the section of its type",
};
