use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "stray-folder",
    severity: Severity::Warning,
    summary: "a folder without the role or host that it would belong to",
    explanation: "a folder without the role or host that it would belong to",
};
