use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "unknown-group",
    severity: Severity::Error,
    summary: "a group that is not there",
    explanation: r#"Access is given to groups of groups/, never to a person alone: so one place says who is in a team.

Refused:

    # users/alice.toml
    uid = 2001

    # groups/webteam.toml
    members = ["alice"]

    # roles/web.toml
    [access]
    login = ["webteam", "web-team"]

Accepted:

    # users/alice.toml
    uid = 2001

    # groups/webteam.toml
    members = ["alice"]

    # roles/web.toml
    [access]
    login = ["webteam"]"#,
};
