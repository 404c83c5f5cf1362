use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "password-in-package",
    severity: Severity::Warning,
    summary: "a password that everybody who reads the repository can read",
    explanation: "a password that everybody who reads the repository can read",
};
