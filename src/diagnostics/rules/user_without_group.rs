use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "user-without-group",
    severity: Severity::Warning,
    summary: "a person in no group",
    explanation: r#"Accounts come with groups: somebody who is in none has no account on any machine.

Refused:

    # users/alice.toml
    uid = 2001

    # users/bob.toml
    uid = 2002

    # groups/webteam.toml
    members = ["alice"]

Accepted:

    # users/alice.toml
    uid = 2001

    # users/bob.toml
    uid = 2002

    # groups/webteam.toml
    members = ["alice", "bob"]"#,
};
