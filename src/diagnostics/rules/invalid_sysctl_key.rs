use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-sysctl-key",
    severity: Severity::Error,
    summary: "not the name of a kernel parameter",
    explanation: r#"Kernel parameters are named as `sysctl -a` shows them, with dots (or slashes) between the parts; systemd-sysctl
logs an error for any other and goes on without it (sysctl.d(5)).

Refused:

    # roles/router.toml
    [sysctl]
    "ip_forward" = 1

Accepted:

    # roles/router.toml
    [sysctl]
    "net.ipv4.ip_forward" = 1"#,
};
