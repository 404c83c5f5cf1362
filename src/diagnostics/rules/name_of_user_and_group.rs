use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "name-of-user-and-group",
    severity: Severity::Error,
    summary: "a user and a group with one name",
    explanation: r#"Every account has a group of its own, with the account's name. A group of people with that name would be the same
group on machines.

Refused:

    # users/web.toml
    uid = 2001

    # groups/web.toml
    members = ["web"]

Accepted:

    # users/alice.toml
    uid = 2001

    # groups/web.toml
    members = ["alice"]"#,
};
