use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-pool",
    severity: Severity::Error,
    summary: "not a range of addresses",
    explanation: r#"A pool is the addresses from which `debrole provision` chooses: the first and the last one of each range. No two ranges have
addresses in common.

Refused:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]
    pool = ["192.0.2.199-192.0.2.100"]

Accepted:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]
    pool = ["192.0.2.100-192.0.2.199"]"#,
};
