use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-run-as",
    severity: Severity::Error,
    summary: "not a user to run a command as",
    explanation: r#"sudo runs a command as a user of the machine. Numbers, groups and lists in one string are refused.

Refused:

    # users/alice.toml
    uid = 2001

    # groups/dba.toml
    members = ["alice"]

    # roles/db.toml
    [access]
    login = ["dba"]
    [[access.sudo]]
    group = "dba"
    run_as = "postgres, root"
    commands = ["/usr/bin/pg_lsclusters"]

Accepted:

    # users/alice.toml
    uid = 2001

    # groups/dba.toml
    members = ["alice"]

    # roles/db.toml
    [access]
    login = ["dba"]
    [[access.sudo]]
    group = "dba"
    run_as = ["postgres", "root"]
    commands = ["/usr/bin/pg_lsclusters"]"#,
};
