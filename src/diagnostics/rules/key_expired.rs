use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "key-expired",
    severity: Severity::Error,
    summary: "the archive key has expired",
    explanation: "\
apt of Debian 12 rejects everything that an expired key has signed, so all machines stop updating.

Refused:   signing with a key that expired yesterday.
Accepted:  the key with its expiry extended where its primary key is (the machines need it too: they get it from the
keyring package), or a new key that machines join with.",
};
