use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "ssh-key-shared",
    severity: Severity::Error,
    summary: "two people with one key",
    explanation: r#"The log of a machine names the key that was used. With one key for two people nobody knows who it was, and neither can
be retired without the other.

Refused:

    # users/alice.toml
    uid = 2001
    [[key]]
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"

    # users/bob.toml
    uid = 2002
    [[key]]
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB bob@laptop"

Accepted:

    # users/alice.toml
    uid = 2001
    [[key]]
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"

    # users/bob.toml
    uid = 2002
    [[key]]
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC bob@laptop""#,
};
