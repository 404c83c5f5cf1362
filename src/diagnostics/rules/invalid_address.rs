use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-address",
    severity: Severity::Error,
    summary: "not an IP address of a machine",
    explanation: r#"An address is IPv4 or IPv6, without the network's length, and one that other machines reach this one at: neither
loopback nor multicast.

Refused:

    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.10/24", "::1"]

Accepted:

    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.10", "2001:db8::10"]"#,
};
