use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-role-name",
    severity: Severity::Error,
    summary: "a file in roles/ whose name can't name a role",
    explanation: "a file in roles/ whose name can't name a role",
};
