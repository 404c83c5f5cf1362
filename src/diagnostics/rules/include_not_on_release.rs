use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "include-not-on-release",
    severity: Severity::Error,
    summary: "a role includes another that is not for the same releases",
    explanation: r#"A role is built for each of its releases, and depends there on what it includes. A role that is not for the
release has no package there, and apt could not install this one.

Refused:

    # debrole.toml
    [release.bookworm]
    [release.trixie]
    # roles/base.toml
    releases = ["bookworm"]
    # roles/web.toml
    includes = ["base"]

Accepted:

    # debrole.toml
    [release.bookworm]
    [release.trixie]
    # roles/base.toml
    releases = ["bookworm"]
    # roles/web.toml
    includes = ["base"]
    releases = ["bookworm"]"#,
};
