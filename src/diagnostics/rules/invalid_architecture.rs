use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-architecture",
    severity: Severity::Error,
    summary: "not an architecture of Debian",
    explanation: "not an architecture of Debian",
};
