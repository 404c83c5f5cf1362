use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "release-without-version",
    severity: Severity::Error,
    summary: "a release whose number is not known",
    explanation: "a release whose number is not known",
};
