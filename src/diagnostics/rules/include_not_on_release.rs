use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "include-not-on-release",
    severity: Severity::Error,
    summary: "a role includes another that is not for the same releases",
    explanation: "a role includes another that is not for the same releases",
};
