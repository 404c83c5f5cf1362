use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "special-mode",
    severity: Severity::Error,
    summary: "a setuid, setgid or world-writable mode without special = true",
    explanation: "a setuid, setgid or world-writable mode without special = true",
};
