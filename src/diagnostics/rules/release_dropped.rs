use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "release-dropped",
    severity: Severity::Warning,
    summary: "a release that is published has left debrole.toml",
    explanation: "\
The release's suite is no longer published. Machines that still run it fail at their next apt-get update (\"does not have
a Release file\"), and get nothing more from the fleet.

Refused:   nothing; warned of is a debrole.toml without [release.bookworm] when bookworm is published.
Accepted:  the section, until the last machine has moved on.",
};
