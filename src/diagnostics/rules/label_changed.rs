use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "label-changed",
    severity: Severity::Error,
    summary: "the repository's Label is not what was published",
    explanation: "\
apt compares Label with what it saw before and refuses the repository when it changed, on every machine, until
somebody confirms it there by hand. So it is frozen with the first publish.

Refused:   label = \"Fleet\" after a publish with label = \"Example fleet\".
Accepted:  the published label; or a new repository (another output directory and URI) that machines join afresh.",
};
