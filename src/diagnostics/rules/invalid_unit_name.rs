use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-unit-name",
    severity: Severity::Error,
    summary: "not the name of a systemd unit",
    explanation: "not the name of a systemd unit",
};
