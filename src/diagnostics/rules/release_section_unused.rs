use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "release-section-unused",
    severity: Severity::Warning,
    summary: "a section for a release that the role is not for",
    explanation: r#"`releases` says which releases the role is for, and this section is for another: it is never used.

Refused:

    # debrole.toml
    [release.bookworm]
    [release.trixie]
    # roles/web.toml
    releases = ["bookworm"]
    [release.trixie]
    depends = ["nginx-common"]

Accepted:

    # debrole.toml
    [release.bookworm]
    [release.trixie]
    # roles/web.toml
    releases = ["bookworm", "trixie"]
    [release.trixie]
    depends = ["nginx-common"]"#,
};
