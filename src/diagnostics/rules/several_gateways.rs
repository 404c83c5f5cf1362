use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "several-gateways",
    severity: Severity::Error,
    summary: "two default routes",
    explanation: r#"A machine has one gateway for IPv4 and one for IPv6: with two, what it sends would leave by either. Networks that lead
nowhere else have none.

Refused:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]
    gateways = ["192.0.2.1", "192.0.2.2"]

Accepted:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24", "2001:db8::/64"]
    gateways = ["192.0.2.1", "2001:db8::1"]"#,
};
