use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "conflicting-roles",
    severity: Severity::Error,
    summary: "a host has two roles that conflict with each other",
    explanation: r#"One of the host's roles says, itself or through what it includes, that it can't be on a machine together with
another of its roles. apt would refuse to install both.

Refused:

    # roles/mail.toml
    conflicts = ["pg-role-relay"]
    # roles/relay.toml
    # hosts/mx1.example.org.toml
    roles = ["mail", "relay"]
    release = "bookworm"

Accepted:

    # roles/mail.toml
    conflicts = ["pg-role-relay"]
    # roles/relay.toml
    # hosts/mx1.example.org.toml
    roles = ["mail"]
    release = "bookworm""#,
};
