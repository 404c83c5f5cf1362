use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-version",
    severity: Severity::Error,
    summary: "not the version of a Debian package",
    explanation: "not the version of a Debian package",
};
