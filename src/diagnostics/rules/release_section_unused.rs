use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "release-section-unused",
    severity: Severity::Warning,
    summary: "a section for a release that the role is not for",
    explanation: "a section for a release that the role is not for",
};
