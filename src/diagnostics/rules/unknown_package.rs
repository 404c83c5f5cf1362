use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "unknown-package",
    severity: Severity::Error,
    summary: "a relation needs a package that no release has",
    explanation: "\
A `depends` or `pre_depends` names a package that is in none of the fleet's Debian releases, and neither a virtual
package of theirs nor one of the fleet's own. Most often the name is misspelt; else it has left Debian, or it is in a
component (contrib, non-free-firmware) that debrole.toml does not name. apt would refuse to install the role.

Refused:
    depends = [\"ngnix\"]

Accepted:
    depends = [\"nginx\"]",
};
