use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "reserved-value-name",
    severity: Severity::Error,
    summary: "a value with a name that has a meaning of its own",
    explanation: "a value with a name that has a meaning of its own",
};
