use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "source-outside",
    severity: Severity::Error,
    summary: "a source outside of the role's folder",
    explanation: "a source outside of the role's folder",
};
