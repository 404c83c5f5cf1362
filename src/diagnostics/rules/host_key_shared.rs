use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "host-key-shared",
    severity: Severity::Error,
    summary: "two machines with one host key",
    explanation: r#"Whoever has the key of one machine can pass for the other. It happens when a machine is copied with its
/etc/ssh/ssh_host_*.

Refused:

    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm"
    ssh_host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"

    # hosts/web2.example.org.toml
    roles = []
    release = "bookworm"
    ssh_host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"

Accepted:

    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm"
    ssh_host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"

    # hosts/web2.example.org.toml
    roles = []
    release = "bookworm"
    ssh_host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC""#,
};
