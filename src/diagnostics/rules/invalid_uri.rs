use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-uri",
    severity: Severity::Error,
    summary: "not a URI that apt can use",
    explanation: "not a URI that apt can use",
};
