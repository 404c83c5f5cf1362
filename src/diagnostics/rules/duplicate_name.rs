use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "duplicate-name",
    severity: Severity::Error,
    summary: "two tables for the same unit, job or question",
    explanation: r#"Two [[service]], [[unit]], [[cron]] or [[debconf]] tables of one section are about the same thing, and only one
of them could take effect. In a [release.NAME] section, one with the same name replaces the common one.

Refused:

    # roles/web.toml
    [[service]]
    unit = "nginx.service"
    enable = true
    [[service]]
    unit = "nginx.service"
    enable = false

Accepted:

    # roles/web.toml
    [[service]]
    unit = "nginx.service"
    enable = true"#,
};
