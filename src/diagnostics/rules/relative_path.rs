use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "relative-path",
    severity: Severity::Error,
    summary: "a path on a machine that does not begin with /",
    explanation: "a path on a machine that does not begin with /",
};
