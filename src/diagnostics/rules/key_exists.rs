use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "key-exists",
    severity: Severity::Error,
    summary: "there is a key already",
    explanation: "\
`key init` never replaces a key: machines trust the one that is there.

Refused:   `debrole key init` where keys/private holds a key; --offline-primary naming a file that exists.
Accepted:  an empty home; a new file.",
};
