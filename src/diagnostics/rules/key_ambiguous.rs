use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "key-ambiguous",
    severity: Severity::Error,
    summary: "there are several secret keys and none is named",
    explanation: "\
Which key signs must not depend on which comes first. debrole selects by the full fingerprint, never by a name or a
short id that two keys may share.

Refused:   two secret keys in keys/private and no `key` in debrole.toml.
Accepted:  key = \"0123456789ABCDEF0123456789ABCDEF01234567\" under [fleet].",
};
