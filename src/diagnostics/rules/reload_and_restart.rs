use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "reload-and-restart",
    severity: Severity::Warning,
    summary: "a unit that is reloaded and restarted for the same file",
    explanation: "a unit that is reloaded and restarted for the same file",
};
