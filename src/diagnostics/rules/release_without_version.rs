use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "release-without-version",
    severity: Severity::Error,
    summary: "a release whose number is not known",
    explanation: r#"Packages that differ between releases carry the release's number in their versions (+deb12). debrole knows it
for the releases that it was made with; for any other, debrole.toml says it.

Refused:

    # debrole.toml
    [release.duke]

Accepted:

    # debrole.toml
    [release.duke]
    version = 15"#,
};
