use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "keyring-unsound",
    severity: Severity::Error,
    summary: "keys/*.gpg is not what machines need to trust the archive",
    explanation: "\
What is in keys/*.gpg goes to every machine, in the keyring package. It has to be public keys in binary form, and the \
key that signs must be among them: else no machine could read the archive any more, nor the keyring that mends it.

Refused:   an ASCII-armored or empty file; a secret key; the key of somebody else alone.
Accepted:  what `debrole key init` and `debrole key export` write; the old and the new key during a rotation.",
};
