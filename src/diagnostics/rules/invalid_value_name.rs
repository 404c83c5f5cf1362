use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-value-name",
    severity: Severity::Error,
    summary: "a value whose name a template can't use",
    explanation: "a value whose name a template can't use",
};
