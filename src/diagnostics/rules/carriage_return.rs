use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "carriage-return",
    severity: Severity::Error,
    summary: "a script or unit whose lines end in CR LF",
    explanation: "a script or unit whose lines end in CR LF",
};
