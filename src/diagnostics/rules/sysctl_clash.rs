use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "sysctl-clash",
    severity: Severity::Error,
    summary: "two roles that can meet set one kernel parameter differently",
    explanation: "\
systemd-sysctl reads the files of both roles and the later name wins. A host may say otherwise than its roles: its
file is read after theirs.

Refused:
    # roles/router.toml                  # roles/base.toml
    [sysctl]                             [sysctl]
    \"net.ipv4.ip_forward\" = 1            \"net.ipv4.ip_forward\" = 0

Accepted: set it in one role, and the exception in the host's file.",
};
