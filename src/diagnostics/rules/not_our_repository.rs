use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "not-our-repository",
    severity: Severity::Error,
    summary: "the output directory holds something that debrole did not make",
    explanation: "\
`dists` in the output directory is not the symlink that debrole commits with, or there are files where a repository
has its own, without one. To write there could destroy another tool's repository.

Refused:   --out /srv/aptly/public
Accepted:  an empty directory, a directory that does not exist yet, or one that debrole has published into.",
};
