use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "no-accelerator",
    severity: Severity::Error,
    summary: "nothing to run a machine by",
    explanation: r#"`accel` lists what a machine may run by, the most wanted first: kvm, tcg, nspawn. An empty list allows nothing.

Refused:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]
    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.10"]
    [vm]
    accel = []

Accepted:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]
    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.10"]
    [vm]
    accel = ["kvm", "tcg"]"#,
};
