use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "key-secret-absent",
    severity: Severity::Error,
    summary: "the secret half of the signing key is not here",
    explanation: "\
The home knows the key, but neither its primary key nor a subkey that may sign has its secret half here (or those
that have it are expired or revoked).

Refused:   a home into which only the public key was imported, or only an encryption subkey.
Accepted:  a home with the secret signing subkey; the primary may stay offline.",
};
