use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "repository-damaged",
    severity: Severity::Error,
    summary: "files of the published repository are gone or changed",
    explanation: "\
The manifest names the files that are published, with their sizes; some are not there. Machines that want one of
them fail. debrole doesn't guess: the published files are the truth that new versions are computed from.

Refused:   a repo-out/ from whose pool/ files were deleted by hand.
Accepted:  the same with the files put back from a backup or from the public server; or an empty output directory,
which is filled from the public URI.",
};
