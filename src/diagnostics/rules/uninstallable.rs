use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "uninstallable",
    severity: Severity::Error,
    summary: "apt finds no way to install a package of the fleet",
    explanation: "\
apt's own solver, asked to install the package on a fresh machine of the release, finds no solution. Each package that
it needs exists, but not all of them can be installed together: two of them conflict, or something they need in turn is
not to be had. Marked are the relations without any one of which it could be installed; the note is apt's explanation.

Refused:
    depends = [\"exim4\", \"postfix\"]          # both provide and conflict with mail-transport-agent

Accepted:
    depends = [\"postfix\"]",
};
