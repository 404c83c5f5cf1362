use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "check-without-contact",
    severity: Severity::Error,
    summary: "problems that nobody hears of",
    explanation: r#"Of every problem somebody hears: the groups that the check names, else its role, else the fleet; of those of a machine the
groups that the machine names, else the fleet.

Refused:

    # debrole.toml
    [monitoring]
    interval = "5m"

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
