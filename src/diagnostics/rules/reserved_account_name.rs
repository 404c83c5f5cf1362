use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "reserved-account-name",
    severity: Severity::Error,
    summary: "a name that Debian uses itself",
    explanation: r#"Debian's base system and packages have accounts and groups of this name, often with power of their own: who is in the
group docker or disk is root.

Refused:

    # groups/docker.toml
    members = []

Accepted:

    # groups/container-team.toml
    members = ["alice"]

    # users/alice.toml
    uid = 2001"#,
};
