use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-mode",
    severity: Severity::Error,
    summary: "not an octal file mode",
    explanation: "not an octal file mode",
};
