use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "unknown-network",
    severity: Severity::Error,
    summary: "a network that is not there",
    explanation: r#"The networks of virtual machines are described in debrole.toml, each in a table [network.NAME].

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
    name = "lam"

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
    name = "lan""#,
};
