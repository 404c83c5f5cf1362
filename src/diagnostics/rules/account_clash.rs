use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "account-clash",
    severity: Severity::Error,
    summary: "two roles that can meet make one system account differently",
    explanation: r#"An account is as it was when it was first made: what the other role asks for would be forgotten, and which one is first
is left to chance.

Refused:

    # roles/git.toml
    [[account]]
    name = "gitolite"
    description = "Git repositories"
    home = "/srv/git"

    # roles/mirror.toml
    [[account]]
    name = "gitolite"
    description = "Git repositories"
    home = "/srv/mirror"

Accepted:

    # roles/git.toml
    [[account]]
    name = "gitolite"
    description = "Git repositories"
    home = "/srv/git"

    # roles/mirror.toml
    includes = ["git"]"#,
};
