use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "control-character",
    severity: Severity::Error,
    summary: "a control character in something that becomes a line of a file",
    explanation: "a control character in something that becomes a line of a file",
};
