use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "role-not-on-release",
    severity: Severity::Error,
    summary: "a host has a role that is not for its release",
    explanation: r#"The role's package is not in the suite of the release that the machine runs, so apt could not install it.

Refused:

    # debrole.toml
    [release.bookworm]
    [release.trixie]
    # roles/web.toml
    releases = ["trixie"]
    # hosts/web1.example.org.toml
    roles = ["web"]
    release = "bookworm"

Accepted:

    # debrole.toml
    [release.bookworm]
    [release.trixie]
    # roles/web.toml
    releases = ["trixie"]
    # hosts/web1.example.org.toml
    roles = ["web"]
    release = "trixie""#,
};
