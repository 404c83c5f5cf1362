use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "release-version-differs",
    severity: Severity::Error,
    summary: "a release with a number that it does not have",
    explanation: "a release with a number that it does not have",
};
