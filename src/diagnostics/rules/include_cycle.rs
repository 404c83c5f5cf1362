use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "include-cycle",
    severity: Severity::Error,
    summary: "roles include each other in a circle",
    explanation: "roles include each other in a circle",
};
