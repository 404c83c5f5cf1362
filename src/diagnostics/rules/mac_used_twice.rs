use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "mac-used-twice",
    severity: Severity::Error,
    summary: "two interfaces with the same MAC address",
    explanation: r#"Of two interfaces with one MAC address in a network, the bridge sends to whichever was heard last. Mostly it is a line that was
copied with the file.

Refused:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]
    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.10"]
    [[vm.network]]
    name = "lan"
    mac = "52:54:00:12:34:56"
    # hosts/web2.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.11"]
    [[vm.network]]
    name = "lan"
    mac = "52:54:00:12:34:56"

Accepted:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]
    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.10"]
    [[vm.network]]
    name = "lan"
    mac = "52:54:00:12:34:56"
    # hosts/web2.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.11"]
    [[vm.network]]
    name = "lan"
    mac = "52:54:00:12:34:57""#,
};
