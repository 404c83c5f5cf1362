use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-sysctl-key",
    severity: Severity::Error,
    summary: "not the name of a kernel parameter",
    explanation: "not the name of a kernel parameter",
};
