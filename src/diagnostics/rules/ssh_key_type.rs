use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "ssh-key-type",
    severity: Severity::Error,
    summary: "a type of key that is refused",
    explanation: r#"DSA is broken and no OpenSSH of Debian accepts it any more. Certificates are no keys: who signed them would decide who
logs in.

Refused:

    # users/alice.toml
    [[key]]
    key = "ssh-dss AAAAB3NzaC1kc3MAAACBAP1/U4EddRIpUt9KnC7s5Of2EbdSPO9EAMMeP4C2USZpRV1AIlH7WT2NWPq/xfW6MPbLm1Vs14E7"

Accepted:

    # users/alice.toml
    [[key]]
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB""#,
};
