use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-network-name",
    severity: Severity::Error,
    summary: "not the name of a network",
    explanation: r#"The name of a network becomes part of file names on its machines: lower case letters, digits and inner hyphens, a letter first.

Refused:

    # debrole.toml
    [network."Front LAN"]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]

Accepted:

    # debrole.toml
    [network.front-lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]"#,
};
