use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "private-key",
    severity: Severity::Error,
    summary: "a private key in the tree",
    explanation: r#"Whoever can read the tree, or a copy of it, has the key now. It must be used no more; only the line of the .pub file
belongs here.

Refused:

    # users/alice.toml
    [[key]]
    key = """-----BEGIN OPENSSH PRIVATE KEY-----
    b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ==
    -----END OPENSSH PRIVATE KEY-----"""

Accepted:

    # users/alice.toml
    [[key]]
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB""#,
};
