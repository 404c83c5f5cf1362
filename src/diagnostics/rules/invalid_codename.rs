use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-codename",
    severity: Severity::Error,
    summary: "not the codename of a release",
    explanation: r#"Releases are named by codename. "stable" is another release every two years, and a repository whose suite
changes under the machines is not what anybody means.

Refused:

    # debrole.toml
    [release.stable]

Accepted:

    # debrole.toml
    [release.bookworm]"#,
};
