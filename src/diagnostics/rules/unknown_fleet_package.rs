use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "unknown-fleet-package",
    severity: Severity::Error,
    summary: "a relation to a package of the fleet that there won't be",
    explanation: "a relation to a package of the fleet that there won't be",
};
