use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-bridge",
    severity: Severity::Error,
    summary: "not the name of a bridge",
    explanation: r#"A bridge is an interface of the hypervisor: its name has at most 15 characters, letters, digits, `_`, `.` and `-`, a letter
first (ip-link(8)).

Refused:

    # debrole.toml
    [network.lan]
    bridge = "the rack's bridge"
    prefixes = ["192.0.2.0/24"]

Accepted:

    # debrole.toml
    [network.lan]
    bridge = "br0"
    prefixes = ["192.0.2.0/24"]"#,
};
