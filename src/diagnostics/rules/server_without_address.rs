use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "server-without-address",
    severity: Severity::Error,
    summary: "a monitoring server without an address",
    explanation: r#"Machines answer the monitoring servers alone, which they know by their addresses: those of the hosts with a role that has
[nagios_server] or [munin_server].

Refused:

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
