use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "key-expiring",
    severity: Severity::Error,
    summary: "the archive key expires too soon",
    explanation: "\
Machines must have the next key before this one expires, and those that are switched off for weeks must not be left
behind. Sixty days before the expiry debrole stops publishing with it, while everything still works.

Refused:   a key that expires in 59 days.
Accepted:  the key with its expiry extended, or its successor.",
};
