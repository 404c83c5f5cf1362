use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "unknown-release",
    severity: Severity::Error,
    summary: "a release that debrole.toml does not have",
    explanation: r#"The releases of the fleet are the [release.NAME] tables in debrole.toml. Each has a suite in the repository.

Refused:

    # hosts/web1.example.org.toml
    roles = []
    release = "bokworm"

Accepted:

    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm""#,
};
