use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-mount",
    severity: Severity::Error,
    summary: "a disk where none can be mounted",
    explanation: r#"A disk is mounted at an absolute path (hier(7)). What Debian needs before it has mounted anything is on the disk at /: its
programs, its configuration, the kernels in /boot. /dev, /proc, /run and /sys are the kernel's.

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
    name = "data"
    mount = "/usr"

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
