use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "repository-damaged",
    severity: Severity::Error,
    summary: "files of the published repository are gone or changed",
    explanation: "\
The manifest names the files that are published, with their sizes and hashes; some are not there, or were changed.
Machines that want one of them fail, and nothing is signed over them. Packages that were touched after the last
publish are read with each build, all of them when everything is signed anew. (Indexes and signed files that were
changed are made anew without a question.) debrole doesn't guess: the published files are the truth that new versions are computed from.

Refused:   a repo-out/ from whose pool/ files were deleted by hand.
Accepted:  the same with the files put back from a backup or from the public server; or an empty output directory,
which is filled from the public URI.",
};
