use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "prefix-changed",
    severity: Severity::Error,
    summary: "the fleet prefix differs from the published one",
    explanation: "\
Every package name begins with the prefix, and so do the directories in which machines keep what was applied. With another
prefix no machine would see an upgrade: it would have two sets of packages, each owning the same files.

Refused:   prefix = \"ex\" where pg-runtime is published
Accepted:  the published prefix; or a new repository (another URI, an empty repo-out/) that machines join afresh",
};
