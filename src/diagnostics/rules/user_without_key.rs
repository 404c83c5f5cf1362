use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "user-without-key",
    severity: Severity::Warning,
    summary: "a person without a key",
    explanation: r#"Nobody logs in by password. Without a key the account is there, but nobody can use it.

Refused:

    # users/alice.toml
    uid = 2001
    key = []

Accepted:

    # users/alice.toml
    uid = 2001
    [[key]]
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB""#,
};
