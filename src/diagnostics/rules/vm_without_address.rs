use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "vm-without-address",
    severity: Severity::Error,
    summary: "a virtual machine that nobody can reach",
    explanation: r#"A virtual machine has an address in one of its networks, or the network has a pool from which `debrole provision` chooses one.

Refused:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]
    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm"
    [vm]

Accepted:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]
    pool = ["192.0.2.100-192.0.2.199"]
    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm"
    [vm]"#,
};
