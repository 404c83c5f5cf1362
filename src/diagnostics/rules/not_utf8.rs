use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "not-utf8",
    severity: Severity::Error,
    summary: "a TOML file is not UTF-8",
    explanation: "a TOML file is not UTF-8",
};
