use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-disk-name",
    severity: Severity::Error,
    summary: "not the name of a disk",
    explanation: r#"The name of a disk is part of the name of its image: lower case letters, digits and inner hyphens, a letter first, at most 16.

Refused:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]
    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.10"]
    [[vm.disk]]
    name = "../data"
    mount = "/srv"

Accepted:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]
    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.10"]
    [[vm.disk]]
    name = "data"
    mount = "/srv""#,
};
