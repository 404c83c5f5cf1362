use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-group-name",
    severity: Severity::Error,
    summary: "a file whose name no group can have",
    explanation: r#"A group's name is lower case letters, digits and inner hyphens, a letter first, at most 31 characters: it is a group on
machines and a part of a package's name.

Refused:

    # groups/Web_Team.toml
    members = []

Accepted:

    # groups/web-team.toml
    members = ["alice"]

    # users/alice.toml
    uid = 2001"#,
};
