use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "role-not-on-release",
    severity: Severity::Error,
    summary: "a host has a role that is not for its release",
    explanation: "a host has a role that is not for its release",
};
