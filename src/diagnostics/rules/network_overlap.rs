use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "network-overlap",
    severity: Severity::Error,
    summary: "two networks with the same addresses",
    explanation: r#"An address tells which network a machine's interface is in. So no two prefixes may have addresses in common, neither of two
networks nor of one.

Refused:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]
    [network.storage]
    bridge = "br1"
    prefixes = ["192.0.2.128/25"]

Accepted:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]
    [network.storage]
    bridge = "br1"
    prefixes = ["198.51.100.0/24"]"#,
};
