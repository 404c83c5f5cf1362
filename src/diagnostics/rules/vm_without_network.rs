use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "vm-without-network",
    severity: Severity::Error,
    summary: "a virtual machine that is in no network",
    explanation: r#"A virtual machine is in the networks of its [[vm.network]] tables; without any, in the only one of debrole.toml. Where that
has several, or none, it can't be told.

Refused:

    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.10"]
    [vm]

Accepted:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]
    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.10"]
    [vm]"#,
};
