use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "unit-without-section",
    severity: Severity::Error,
    summary: "a unit file without the section of its type",
    explanation: r#"A .service has a [Service] section, a .timer a [Timer] section, and so on; without it systemd refuses to load
the unit.

Refused:

    # roles/web.toml
    [[unit]]
    name = "pg-report.service"
    content = """
    [Unit]
    Description=Report
    [Serivce]
    ExecStart=/usr/bin/true
    """

Accepted:

    # roles/web.toml
    [[unit]]
    name = "pg-report.service"
    content = """
    [Unit]
    Description=Report
    [Service]
    ExecStart=/usr/bin/true
    """"#,
};
