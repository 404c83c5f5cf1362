use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "key-fingerprint-mismatch",
    severity: Severity::Error,
    summary: "the key's home does not hold the key that debrole.toml names",
    explanation: "\
debrole.toml pins the archive key by its fingerprint, so that a wrong home is noticed before machines reject it.

Refused:   key = \"AAAA…\" while keys/private holds the key BBBB….
Accepted:  the fingerprint that `debrole key show` prints.",
};
