use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "verification-failed",
    severity: Severity::Error,
    summary: "the staged repository is not what it should be",
    explanation: "\
Before the commit every file that was written is read back, hashed and compared, and gpgv (where it is installed)
checks the signatures. Something differed, so the old repository stays. Faulty memory or a faulty disk does this.

Refused:   an index whose bytes on disk have another SHA-256 than its Release file says.
Accepted:  the next build, when the machine is sound: nothing has to be cleaned up.",
};
