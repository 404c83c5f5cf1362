use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-codename",
    severity: Severity::Error,
    summary: "not the codename of a release",
    explanation: "not the codename of a release",
};
