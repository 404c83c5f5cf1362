use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "account-is-a-person",
    severity: Severity::Error,
    summary: "a system account with the name of a person or a group",
    explanation: r#"An account of a role's software and an account of a person can't be one: what retires the person would stop the
software, and the person's keys would open the software's files.

Refused:

    # users/gitolite.toml
    uid = 2001

    # roles/git.toml
    [[account]]
    name = "gitolite"
    description = "Git repositories"

Accepted:

    # users/alice.toml
    uid = 2001

    # roles/git.toml
    [[account]]
    name = "gitolite"
    description = "Git repositories""#,
};
