use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-environment-name",
    severity: Severity::Error,
    summary: "not the name of an environment variable",
    explanation: "not the name of an environment variable",
};
