use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "address-outside-network",
    severity: Severity::Error,
    summary: "an address that is not in its network",
    explanation: r#"A machine reaches its network by an address of it, and so do gateways. The addresses of a virtual machine, gateways and
pools are within `prefixes` of the network.

Refused:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]
    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["198.51.100.10"]
    [vm]

Accepted:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]
    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.10"]
    [vm]"#,
};
