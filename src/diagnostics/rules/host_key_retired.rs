use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "host-key-retired",
    severity: Severity::Error,
    summary: "a host key that is in use and retired",
    explanation: r#"ssh refuses whoever answers with a retired key; the machine that has it would be reached by nobody.

Refused:

    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm"
    ssh_host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"
    retired_ssh_host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"

Accepted:

    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm"
    ssh_host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"
    retired_ssh_host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC""#,
};
