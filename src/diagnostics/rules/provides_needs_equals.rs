use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "provides-needs-equals",
    severity: Severity::Error,
    summary: "a provided version with another operator than =",
    explanation: "a provided version with another operator than =",
};
