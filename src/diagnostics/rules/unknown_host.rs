use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "unknown-host",
    severity: Severity::Error,
    summary: "a machine that is not in the tree",
    explanation: r#"Machines are named by their files in hosts/, the fully qualified domain name.

Refused:

    # users/alice.toml
    uid = 2001
    [[key]]
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"
    hosts = ["web1"]

    # hosts/web1.example.org.toml
    roles = ["login"]
    release = "bookworm"

Accepted:

    # users/alice.toml
    uid = 2001
    [[key]]
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"
    hosts = ["web1.example.org"]

    # hosts/web1.example.org.toml
    roles = ["login"]
    release = "bookworm""#,
};
