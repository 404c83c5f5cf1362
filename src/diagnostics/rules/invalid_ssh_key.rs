use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-ssh-key",
    severity: Severity::Error,
    summary: "not a public SSH key, or a damaged one",
    explanation: r#"The line of a .pub file: type, key, comment, with one blank between. The key is looked into: one that was cut off, or
whose type is not what the line says, would let nobody in.

Refused:

    # users/alice.toml
    [[key]]
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ alice@laptop"

Accepted:

    # users/alice.toml
    [[key]]
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB alice@laptop""#,
};
