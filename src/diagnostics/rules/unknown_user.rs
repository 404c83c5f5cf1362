use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "unknown-user",
    severity: Severity::Error,
    summary: "a user who is not there",
    explanation: r#"Members are users of users/. Who has left is known from ledger.toml and only warned of.

Refused:

    # users/alice.toml
    uid = 2001

    # groups/webteam.toml
    members = ["alice", "alcie"]

Accepted:

    # users/alice.toml
    uid = 2001

    # groups/webteam.toml
    members = ["alice"]"#,
};
