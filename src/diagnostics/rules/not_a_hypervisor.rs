use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "not-a-hypervisor",
    severity: Severity::Error,
    summary: "a machine that runs no others",
    explanation: r#"The machine that `hypervisor` names is a host with a table [hypervisor], which says how virtual machines get onto it.

Refused:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]
    # hosts/kvm1.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.70"]
    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.10"]
    [vm]
    hypervisor = "kvm1.example.org"

Accepted:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]
    # hosts/kvm1.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.70"]
    [hypervisor]
    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.10"]
    [vm]
    hypervisor = "kvm1.example.org""#,
};
