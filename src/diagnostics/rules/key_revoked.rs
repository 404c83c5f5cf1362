use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "key-revoked",
    severity: Severity::Error,
    summary: "the archive key is revoked",
    explanation: "\
Nobody accepts a revoked key. It can't be taken back.

Refused:   a key to which a revocation certificate was imported.
Accepted:  another key.",
};
