use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "contradicting-service",
    severity: Severity::Error,
    summary: "a unit that is to be masked and enabled or disabled",
    explanation: r#"Masking a unit means that nothing can start it, neither at boot nor by hand; enabling it means that it starts at
boot (systemctl(1)). A masked unit is disabled already.

Refused:

    # roles/web.toml
    [[service]]
    unit = "apache2.service"
    enable = true
    mask = true

Accepted:

    # roles/web.toml
    [[service]]
    unit = "apache2.service"
    mask = true"#,
};
