use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "key-missing",
    severity: Severity::Error,
    summary: "there is no archive key",
    explanation: "\
Each generation is signed; apt accepts nothing else. The key's home (keys/private beside debrole.toml) is absent or
holds no secret key.

Refused:   `debrole build` in a fresh checkout: private keys are never in version control.
Accepted:  the same after `debrole key init`, or with the existing home put there.",
};
