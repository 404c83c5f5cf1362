use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-debconf-value",
    severity: Severity::Error,
    summary: "an answer that does not fit the question's type",
    explanation: "an answer that does not fit the question's type",
};
