use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "stray-file",
    severity: Severity::Warning,
    summary: "a file in roles/, hosts/ or packages/ that is not read",
    explanation: "a file in roles/, hosts/ or packages/ that is not read",
};
