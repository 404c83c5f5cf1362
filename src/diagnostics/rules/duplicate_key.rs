use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "duplicate-key",
    severity: Severity::Error,
    summary: "a TOML key or table is given twice",
    explanation: "a TOML key or table is given twice",
};
