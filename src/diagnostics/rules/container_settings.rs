use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "container-settings",
    severity: Severity::Error,
    summary: "a container with what only a virtual machine has",
    explanation: r#"A machine with accel = ["nspawn"] is a container: a directory of its hypervisor, started without firmware, in which disks
would come to nothing.

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
    accel = ["nspawn"]
    firmware = "uefi"

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
    accel = ["kvm", "nspawn"]
    firmware = "uefi""#,
};
