use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-package-name",
    severity: Severity::Error,
    summary: "not the name of a Debian package",
    explanation: "not the name of a Debian package",
};
