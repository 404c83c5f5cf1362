use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "key-weak",
    severity: Severity::Error,
    summary: "apt rejects this kind of key",
    explanation: "\
apt of Debian 13 (sqv) rejects RSA below 2048 bits, DSA, brainpool curves, and keys whose self-signatures use SHA-1;
apt of Debian 12 does not, so the fleet would split.

Refused:   rsa1024, dsa2048, brainpoolP256r1, a key bound with SHA-1.
Accepted:  ed25519 (what `debrole key init` makes), nistp256, rsa2048 and longer, bound with SHA-512.",
};
