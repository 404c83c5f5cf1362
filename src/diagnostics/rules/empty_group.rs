use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "empty-group",
    severity: Severity::Warning,
    summary: "a group without members",
    explanation: r#"What is granted to the group is granted to nobody. That may be meant while a team is found; a group that is not
needed is better removed.

Refused:

    # users/alice.toml
    uid = 2001

    # groups/sysadmins.toml
    members = ["alice"]

    # groups/webteam.toml
    members = []

Accepted:

    # users/alice.toml
    uid = 2001

    # groups/webteam.toml
    members = ["alice"]"#,
};
