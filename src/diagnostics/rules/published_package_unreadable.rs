use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "published-package-unreadable",
    severity: Severity::Error,
    summary: "a published package that is needed for the next version can not be read",
    explanation: "\
A new version of a package carries on the changelog of the published one, and says what differs from it. So the published
.deb has to be in the pool, whole. It is missing there, or its content is not what the manifest says: somebody removed or
changed files below repo-out/pool, or a disk is failing.

Nothing was published.

Refused:   a build after `rm repo-out/pool/roles/pg-role-web_*`.
Accepted:  the same after the pool was put back from a backup or from a mirror (`rsync` from the machine that serves it).",
};
