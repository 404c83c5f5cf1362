use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "repository-unwritable",
    severity: Severity::Error,
    summary: "the repository can't be read or written",
    explanation: "\
The operating system refused to read or write a file of the repository. Nothing was committed: clients go on seeing
the old repository.

Refused:   an output directory that belongs to another user, a read-only file system, a disk with errors.
Accepted:  a directory that the user who runs debrole may write to.",
};
