use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "unknown-release",
    severity: Severity::Error,
    summary: "a release that debrole.toml does not have",
    explanation: "a release that debrole.toml does not have",
};
