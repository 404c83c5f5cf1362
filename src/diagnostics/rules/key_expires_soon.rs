use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "key-expires-soon",
    severity: Severity::Warning,
    summary: "the archive key will have to be replaced",
    explanation: "\
The archive key expires within 120 days. From 60 days before on nothing is published with it.

Refused:   nothing yet; warned of is a key that expires in 100 days.
Accepted:  the key with its expiry extended, or its successor.",
};
