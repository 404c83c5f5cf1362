use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "check-name-taken",
    severity: Severity::Error,
    summary: "a role whose checks would have the names of others",
    explanation: r#"NRPE knows a role's check as ROLE_CHECK, those that every machine has as machine_CHECK and a host's own as host_CHECK. So
roles that are called machine or host can't have checks.

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
    addresses = ["192.0.2.50"]
    ssh_host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHaTRQ1Pl3Kmd3F7xyO+qfWbg45O5Hlg0a1K5g5pQQSQ"

    # roles/host.toml
    [[check]]
    name = "disk"
    command = "/usr/lib/nagios/plugins/check_disk -c 5%"

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
    ssh_host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHaTRQ1Pl3Kmd3F7xyO+qfWbg45O5Hlg0a1K5g5pQQSQ"

    # roles/files.toml
    [[check]]
    name = "disk"
    command = "/usr/lib/nagios/plugins/check_disk -c 5%""#,
};
