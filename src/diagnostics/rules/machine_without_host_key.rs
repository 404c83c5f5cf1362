use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "machine-without-host-key",
    severity: Severity::Error,
    summary: "a monitored machine without a host key",
    explanation: r#"A machine proves to the monitoring servers by its SSH host key who it is, and they to it: by that the certificates of NRPE are
exchanged, without anybody's doing. The tree knows each by `ssh_host_key`. A machine that is skipped altogether needs none.

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
