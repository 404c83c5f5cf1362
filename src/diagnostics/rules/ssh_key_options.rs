use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "ssh-key-options",
    severity: Severity::Error,
    summary: "options before a key",
    explanation: r#"sshd acts on what stands before a key: command=, permitopen=, cert-authority. People's keys have none; `from`, `expires`
and `hosts` are keys of [[key]].

Refused:

    # users/alice.toml
    [[key]]
    key = 'from="192.0.2.1" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB'

Accepted:

    # users/alice.toml
    [[key]]
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"
    from = ["192.0.2.1"]"#,
};
