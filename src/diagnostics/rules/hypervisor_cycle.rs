use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "hypervisor-cycle",
    severity: Severity::Error,
    summary: "machines that run each other",
    explanation: r#"A hypervisor may be a virtual machine itself, but none can run on what it runs.

Refused:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]
    # hosts/a.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.1"]
    [hypervisor]
    [vm]
    hypervisor = "b.example.org"
    # hosts/b.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.2"]
    [hypervisor]
    [vm]
    hypervisor = "a.example.org"

Accepted:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]
    # hosts/a.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.1"]
    [hypervisor]
    [vm]
    hypervisor = "b.example.org"
    # hosts/b.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.2"]
    [hypervisor]"#,
};
