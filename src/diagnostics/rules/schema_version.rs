use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "schema-version",
    severity: Severity::Error,
    summary: "the tree is written for another schema",
    explanation: "the tree is written for another schema",
};
