use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "conflicts-with-included",
    severity: Severity::Error,
    summary: "a role conflicts with a role that it includes",
    explanation: "a role conflicts with a role that it includes",
};
