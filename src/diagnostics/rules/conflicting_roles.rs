use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "conflicting-roles",
    severity: Severity::Error,
    summary: "a host has two roles that conflict with each other",
    explanation: "a host has two roles that conflict with each other",
};
