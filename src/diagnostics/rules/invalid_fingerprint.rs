use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-fingerprint",
    severity: Severity::Error,
    summary: "not the fingerprint of a key",
    explanation: r#"The fingerprint of an OpenPGP key has 40 hexadecimal digits (spaces don't count). A short key id is not enough:
anybody can make a key that has the same.

Refused:

    # debrole.toml
    [fleet]
    key = "0x89ABCDEF01234567"

Accepted:

    # debrole.toml
    [fleet]
    key = "0123 4567 89AB CDEF 0123 4567 89AB CDEF 0123 4567""#,
};
