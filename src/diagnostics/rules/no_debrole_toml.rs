use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "no-debrole-toml",
    severity: Severity::Error,
    summary: "there is no debrole.toml",
    explanation: "there is no debrole.toml",
};
