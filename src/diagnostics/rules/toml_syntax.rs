use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "toml-syntax",
    severity: Severity::Error,
    summary: "not TOML",
    explanation: "not TOML",
};
