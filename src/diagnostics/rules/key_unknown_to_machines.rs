use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "key-unknown-to-machines",
    severity: Severity::Error,
    summary: "the signing key is not in the keyring that is published",
    explanation: "\
Machines accept what a key has signed that they have. They get a new key as a package, in an archive that the old key \
has signed: so the new one is published first, and signs later.

Refused:   another key (or signing subkey) in keys/private, and its public half in keys/, in one build.
Accepted:  a build with both public keys in keys/ that the old key signs; when all machines have it, one by the new.",
};
