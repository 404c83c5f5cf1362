use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-unit-name",
    severity: Severity::Error,
    summary: "not the name of a systemd unit",
    explanation: r#"A unit is named with its type: nginx.service, not nginx (systemd.unit(5)).

Refused:

    # roles/web.toml
    [[service]]
    unit = "nginx"
    enable = true

Accepted:

    # roles/web.toml
    [[service]]
    unit = "nginx.service"
    enable = true"#,
};
