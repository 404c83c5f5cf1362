use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "name-in-debian",
    severity: Severity::Error,
    summary: "a generated package has the name of a package of Debian",
    explanation: "\
The fleet's prefix and a role's or host's name make a package name that Debian has already. Machines would install
whichever of the two has the higher version, and Debian's dependencies on its own package would be satisfied by ours.

Refused: a prefix and a name that together are a package of Debian.

Accepted: another name for the role, or another prefix, chosen before anything is published: names that were published
stay known (as tombstones).",
};
