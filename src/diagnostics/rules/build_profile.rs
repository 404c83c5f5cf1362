use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "build-profile",
    severity: Severity::Error,
    summary: "a build profile in a relation of a binary package",
    explanation: "a build profile in a relation of a binary package",
};
