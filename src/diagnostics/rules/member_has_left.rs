use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "member-has-left",
    severity: Severity::Warning,
    summary: "a member who has left",
    explanation: r#"The user's file is gone, so the person has no access any more; what is left of them in the group does nothing.
`debrole user retire` clears it away.

Refused:

    # ledger.toml
    [users]
    2001 = "alice"
    2002 = "mallory"
    [groups]
    3001 = "webteam"

    # users/alice.toml
    uid = 2001

    # groups/webteam.toml
    members = ["alice", "mallory"]

Accepted:

    # ledger.toml
    [users]
    2001 = "alice"
    2002 = "mallory"
    [groups]
    3001 = "webteam"

    # users/alice.toml
    uid = 2001

    # groups/webteam.toml
    members = ["alice"]"#,
};
