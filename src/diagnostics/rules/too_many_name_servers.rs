use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "too-many-name-servers",
    severity: Severity::Error,
    summary: "more name servers than are asked",
    explanation: r#"The resolver asks the first three name servers of `/etc/resolv.conf` and ignores the others (resolv.conf(5), MAXNS).

Refused:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]
    dns = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]

Accepted:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]
    dns = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]"#,
};
