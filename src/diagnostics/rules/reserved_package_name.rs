use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "reserved-package-name",
    severity: Severity::Error,
    summary: "a role provides a name of debrole's own",
    explanation: "a role provides a name of debrole's own",
};
