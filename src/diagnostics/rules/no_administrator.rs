use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "no-administrator",
    severity: Severity::Error,
    summary: "a machine that nobody could administer",
    explanation: r#"As soon as the fleet's people have their access from the tree, a machine where none of them can log in and run everything
by sudo is one that only a rescue system opens. Counted is who has a key that is good there and no past last day, a
login, and a rule with ALL that asks for no password.

Refused:

    # users/alice.toml
    uid = 2001

    # groups/sysadmins.toml
    members = ["alice"]

    # roles/base.toml
    [access]
    login = ["sysadmins"]
    sudo = [{ group = "sysadmins", commands = ["/usr/bin/apt-get update"] }]

    # hosts/web1.example.org.toml
    roles = ["base"]
    release = "bookworm"

Accepted:

    # users/alice.toml
    uid = 2001

    # groups/sysadmins.toml
    members = ["alice"]

    # roles/base.toml
    [access]
    login = ["sysadmins"]
    sudo = [{ group = "sysadmins", commands = ["ALL"], reason = "administrators" }]

    # hosts/web1.example.org.toml
    roles = ["base"]
    release = "bookworm""#,
};
