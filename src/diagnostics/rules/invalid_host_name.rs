use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-host-name",
    severity: Severity::Error,
    summary: "a file in hosts/ whose name is not a fully qualified domain name",
    explanation: "a file in hosts/ whose name is not a fully qualified domain name",
};
