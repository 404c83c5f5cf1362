use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-network-prefix",
    severity: Severity::Error,
    summary: "not the prefix of a network",
    explanation: r#"A network is the lowest of its addresses and how many bits are the same in all of them (RFC 4632, RFC 4291). An address of
one machine in it is not its prefix.

Refused:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.1/24"]

Accepted:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]"#,
};
