use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "release-version-differs",
    severity: Severity::Error,
    summary: "a release with a number that it does not have",
    explanation: r#"The number of a release is what its /etc/debian_version begins with: 12 for bookworm. Packages that differ
between releases carry it in their versions (+deb12), so that an upgrade to the next release upgrades them; no
two releases have the same.

Refused:

    # debrole.toml
    [release.bookworm]
    version = 13

Accepted:

    # debrole.toml
    [release.bookworm]
    version = 12"#,
};
