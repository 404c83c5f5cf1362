use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "key-home-permissions",
    severity: Severity::Error,
    summary: "others can get at the private key",
    explanation: "\
The key's home must belong to the user who runs debrole, and nobody else may look in.

Refused:   keys/private with mode 0755, or of another user.
Accepted:  chmod 0700 keys/private",
};
