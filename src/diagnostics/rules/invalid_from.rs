use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-from",
    severity: Severity::Error,
    summary: "not an address, a network or a pattern of names",
    explanation: r#"sshd refuses every login by a key whose `from` it can't read. Networks are written with all host bits 0 (sshd(8)).

Refused:

    # users/alice.toml
    [[key]]
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"
    from = ["192.0.2.1/24"]

Accepted:

    # users/alice.toml
    [[key]]
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"
    from = ["192.0.2.0/24", "!192.0.2.7", "*.example.org"]"#,
};
