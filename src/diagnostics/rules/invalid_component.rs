use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-component",
    severity: Severity::Error,
    summary: "not a component of an archive",
    explanation: "not a component of an archive",
};
