use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "lock-held",
    severity: Severity::Error,
    summary: "another debrole works on the same repository",
    explanation: "\
Two builds into one directory would tread on each other, so the first takes a lock and the second stops, saying which
process holds it. The kernel releases the lock when that process ends, however it ends: there is never a stale lock
file to remove.

Refused:   two `debrole build --out repo-out` at once.
Accepted:  `debrole build --wait`, which takes its turn; or two builds into two directories.",
};
