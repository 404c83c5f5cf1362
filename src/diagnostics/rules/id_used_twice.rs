use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "id-used-twice",
    severity: Severity::Error,
    summary: "two users or groups with one number",
    explanation: r#"For a machine two accounts with one number are one. A user's own group has the user's number, so users and groups
share the numbers.

Refused:

    # users/alice.toml
    uid = 2001

    # users/bob.toml
    uid = 2001

    # ledger.toml
    [users]
    2001 = "alice"
    [groups]
    3001 = "everyone"

Accepted:

    # users/alice.toml
    uid = 2001

    # users/bob.toml
    uid = 2002

    # ledger.toml
    [users]
    2001 = "alice"
    2002 = "bob"
    [groups]
    3001 = "everyone""#,
};
