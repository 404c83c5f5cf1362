use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "address-used-twice",
    severity: Severity::Error,
    summary: "two hosts have the same address",
    explanation: "two hosts have the same address",
};
