use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "forbidden-path",
    severity: Severity::Error,
    summary: "a path that is not a role's or host's to manage",
    explanation: "a path that is not a role's or host's to manage",
};
