use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "check-without-server",
    severity: Severity::Warning,
    summary: "checks that nobody asks",
    explanation: r#"A [[check]] is asked by the machines of a role with [nagios_server], a [[munin]] plugin by those with [munin_server]. Without
one nothing comes of it.

Refused:

    # roles/web.toml
    [[check]]
    name = "http"
    command = "/usr/lib/nagios/plugins/check_http -H localhost"

    # hosts/web1.example.org.toml
    roles = ["web"]
    release = "bookworm"

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

    # roles/web.toml
    [[check]]
    name = "http"
    command = "/usr/lib/nagios/plugins/check_http -H localhost"

    # hosts/web1.example.org.toml
    roles = ["web"]
    release = "bookworm"
    ssh_host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPUzq3WuJtLpo5rRa28VbMFSI3fhiXMT8vKQSa7knPRP""#,
};
