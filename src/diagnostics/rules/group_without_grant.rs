use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "group-without-grant",
    severity: Severity::Warning,
    summary: "a group that nothing lets in",
    explanation: r#"A group alone gives nothing: its members have accounts only where [access] of a role or a host lets the group in.

Refused:

    # groups/webteam.toml
    members = ["alice"]

    # users/alice.toml
    uid = 2001

    # roles/base.toml
    depends = ["sudo"]
    [access]
    login = []

Accepted:

    # groups/webteam.toml
    members = ["alice"]

    # users/alice.toml
    uid = 2001

    # roles/base.toml
    depends = ["sudo"]
    [access]
    login = ["webteam"]"#,
};
