use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "clock-behind",
    severity: Severity::Error,
    summary: "the clock is behind the last publish",
    explanation: "\
Clients remember the Date of the Release file that they have and silently ignore an older one: what is published with
a clock that runs behind would never arrive, and nothing would say so. A few seconds are waited for; more is an error.

Refused:   a build at 10:00 into a repository that was published at 10:05.
Accepted:  the same build after the clock was set right (timedatectl set-ntp true), or at 10:06.",
};
