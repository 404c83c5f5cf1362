use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "unit-without-install",
    severity: Severity::Error,
    summary: "a unit that is to be enabled without [Install]",
    explanation: "a unit that is to be enabled without [Install]",
};
