use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "sysctl-clash",
    severity: Severity::Error,
    summary: "two roles that can meet set one kernel parameter differently",
    explanation: "\
systemd-sysctl reads the files of both roles and the later name wins. A host may say otherwise than its roles: its
file is read after theirs.

Refused:

    # roles/router.toml
    [sysctl]
    \"net.ipv4.ip_forward\" = 1

    # roles/base.toml
    [sysctl]
    \"net.ipv4.ip_forward\" = 0

Accepted:

    # roles/base.toml
    [sysctl]
    \"net.ipv4.ip_forward\" = 0

    # hosts/gw.example.org.toml
    roles = [\"base\"]
    release = \"bookworm\"
    [sysctl]
    \"net.ipv4.ip_forward\" = 1",
};
