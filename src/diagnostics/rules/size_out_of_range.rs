use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "size-out-of-range",
    severity: Severity::Error,
    summary: "a size that makes no sense where it stands",
    explanation: r#"Debian with a kernel does not start with less than 256M of memory, and does not fit onto less than 2G. The largest sizes
are what nobody means.

Refused:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]
    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.10"]
    [vm]
    memory = "2M"

Accepted:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]
    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.10"]
    [vm]
    memory = "2G""#,
};
