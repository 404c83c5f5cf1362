use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "reserved-path",
    severity: Severity::Error,
    summary: "a path belongs to debrole's own packages",
    explanation: "\
What the packages carry and what the runtime remembers lives below /usr/share/<prefix>, /var/lib/<prefix>,
/var/backups/<prefix> and /run/<prefix>. A role that managed a path there would break its own removal.

Refused:
    [[file]]
    path = \"/var/lib/pg/notes\"

Accepted:
    [[file]]
    path = \"/var/lib/pg-notes/notes\"",
};
