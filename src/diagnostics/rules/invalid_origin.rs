use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-origin",
    severity: Severity::Error,
    summary: "an origin or label that apt's tools can't match",
    explanation: r#"Machines select the fleet's packages by the repository's origin and label, in patterns of unattended-upgrades
("origin=…,label=…", "origin:archive") and of apt's preferences. ":" and "," separate the parts of those, so
neither can be in a name.

Refused:

    # debrole.toml
    [fleet]
    origin = "Example: Project"

Accepted:

    # debrole.toml
    [fleet]
    origin = "Example Project""#,
};
