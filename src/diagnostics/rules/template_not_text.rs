use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "template-not-text",
    severity: Severity::Error,
    summary: "a template or unit that is not text",
    explanation: "a template or unit that is not text",
};
