use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "mount-clash",
    severity: Severity::Error,
    summary: "two disks at one place",
    explanation: r#"Each disk is mounted at a place of its own, and none below another one, but for the disk at /: that is the one without `mount`.

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
    mount = "/srv"
    [[vm.disk]]
    name = "www"
    mount = "/srv/www"

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
    mount = "/srv"
    [[vm.disk]]
    name = "db"
    mount = "/var/lib/postgresql""#,
};
