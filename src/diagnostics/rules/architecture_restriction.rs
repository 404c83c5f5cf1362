use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "architecture-restriction",
    severity: Severity::Error,
    summary: "an architecture restriction in a relation of a binary package",
    explanation: "an architecture restriction in a relation of a binary package",
};
