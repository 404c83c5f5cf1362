use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "disk-full",
    severity: Severity::Error,
    summary: "the disk has no room for the new generation",
    explanation: "\
Before anything is written the free space (and the free inodes) are compared with what is needed; should the disk fill
up all the same, the publish stops before its commit. Either way clients go on seeing the old repository, whole.

Refused:   2 MB to write where 1 MB is free.
Accepted:  the same build once there is room, without any clean-up: left-over files go by themselves.",
};
