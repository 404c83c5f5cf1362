use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "origin-changed",
    severity: Severity::Error,
    summary: "the repository's Origin is not what was published",
    explanation: "\
apt compares Origin with what it saw before and refuses the repository when it changed, on every machine, until
somebody confirms it there by hand. So it is frozen with the first publish.

Refused:   origin = \"Example\" after a publish with origin = \"Example Project\".
Accepted:  the published origin; or a new repository (another output directory and URI) that machines join afresh.",
};
