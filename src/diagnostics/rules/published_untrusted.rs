use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "published-untrusted",
    severity: Severity::Error,
    summary: "what is published is not signed by the archive key",
    explanation: "\
The manifest, at the public URI and in the output directory, must be signed by a key that this tree knows. It is not:
somebody changed it, or this tree has another key than the one that published. Nothing in it is believed then.

Refused:   a manifest signed by an unknown key, or changed after it was signed.
Accepted:  the published repository together with the key that signed it in keys/.",
};
