use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "path-not-normal",
    severity: Severity::Error,
    summary: "a path with \"..\", \".\" or doubled slashes",
    explanation: "a path with \"..\", \".\" or doubled slashes",
};
