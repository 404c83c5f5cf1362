use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "contact-without-mail",
    severity: Severity::Warning,
    summary: "somebody who is to hear of problems, but has no mail address",
    explanation: r#"Problems are told by mail, to the members of a group that have `email`. One who has none hears of nothing.

Refused:

    # debrole.toml
    [monitoring]
    contacts = ["sysadmins"]

    # users/alice.toml
    uid = 2001
    email = "alice@example.org"

    # groups/sysadmins.toml
    members = ["alice", "bob"]

    # roles/monitor.toml
    [nagios_server]

    # users/bob.toml
    uid = 2002

    # hosts/mon1.example.org.toml
    roles = ["monitor"]
    release = "bookworm"
    addresses = ["192.0.2.50"]
    ssh_host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHaTRQ1Pl3Kmd3F7xyO+qfWbg45O5Hlg0a1K5g5pQQSQ"

Accepted:

    # debrole.toml
    [monitoring]
    contacts = ["sysadmins"]

    # users/alice.toml
    uid = 2001
    email = "alice@example.org"

    # groups/sysadmins.toml
    members = ["alice"]

    # roles/monitor.toml
    [nagios_server]

    # hosts/mon1.example.org.toml
    roles = ["monitor"]
    release = "bookworm"
    addresses = ["192.0.2.50"]
    ssh_host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHaTRQ1Pl3Kmd3F7xyO+qfWbg45O5Hlg0a1K5g5pQQSQ""#,
};
