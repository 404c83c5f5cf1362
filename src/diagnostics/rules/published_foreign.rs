use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "published-foreign",
    severity: Severity::Error,
    summary: "another tool's repository is published at the URI",
    explanation: "\
At the public URI there is an apt repository without debrole's manifest. To publish over it would break the machines
that use it.

Refused:   uri = \"http://apt.example.org\" where reprepro publishes.
Accepted:  a URI of its own; or --first-publish, when that repository is to be replaced.",
};
