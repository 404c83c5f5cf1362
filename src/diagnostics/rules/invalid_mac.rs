use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-mac",
    severity: Severity::Error,
    summary: "not the MAC address of an interface",
    explanation: r#"A MAC address is six bytes. That of an interface has an even first byte: an odd one is a group's (IEEE 802, 8.2). Addresses
that begin with 52:54:00 are QEMU's.

Refused:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]
    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.10"]
    [[vm.network]]
    name = "lan"
    mac = "53:54:00:12:34:56"

Accepted:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]
    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.10"]
    [[vm.network]]
    name = "lan"
    mac = "52:54:00:12:34:56""#,
};
