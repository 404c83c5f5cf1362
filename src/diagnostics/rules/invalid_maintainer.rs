use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-maintainer",
    severity: Severity::Error,
    summary: "the maintainer is not \"Name <mail@address>\"",
    explanation: "the maintainer is not \"Name <mail@address>\"",
};
