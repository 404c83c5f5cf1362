use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "version-overtaken",
    severity: Severity::Error,
    summary: "a generated version would not be higher than one that was published",
    explanation: "\
The name was once published with a version that debrole did not give (a package of the site, from packages/), and it is
higher than today's. Machines that have it would never take the generated package. Versions of generated packages are
YYYYMMDD.N.

Refused:   a role whose package name was once published from packages/ as 1:1.0
Accepted:  the role under another name",
};
