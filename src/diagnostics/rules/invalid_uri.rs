use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-uri",
    severity: Severity::Error,
    summary: "not a URI that apt can use",
    explanation: r#"A repository is at an http:, https: or file: URI (sources.list(5)), without user and password: every user of
every machine can read apt's sources.

Refused:

    # debrole.toml
    [fleet]
    uri = "apt.example.org"

Accepted:

    # debrole.toml
    [fleet]
    uri = "http://apt.example.org""#,
};
