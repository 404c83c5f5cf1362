use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "keyring-outdated",
    severity: Severity::Error,
    summary: "keys/*.gpg and the secret key's home disagree on when the key expires",
    explanation: "\
A key's expiry is part of its public half, of which there are two copies: keys/*.gpg, which goes to machines in the
keyring package, and the home in keys/private, by which debrole judges whether the key is good for long enough. A key
that was extended in one of them has to arrive in the other; else machines refuse the archive on the old day, whatever
the home says.

Refused:   a build after gpg --homedir keys/private --quick-set-expire FINGERPRINT 3y alone.
Accepted:  the same after debrole key export --renew.",
};
