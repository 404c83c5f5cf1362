use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "unit-without-install",
    severity: Severity::Error,
    summary: "a unit that is to be enabled without [Install]",
    explanation: r#"To enable a unit is to link it where its [Install] section says (systemd.unit(5)). A unit without one can be
started, but not enabled; for such a unit there mostly is a timer or socket that is enabled instead.

Refused:

    # roles/web.toml
    [[unit]]
    name = "pg-report.timer"
    enable = true
    content = """
    [Timer]
    OnCalendar=daily
    """

Accepted:

    # roles/web.toml
    [[unit]]
    name = "pg-report.timer"
    enable = true
    content = """
    [Timer]
    OnCalendar=daily
    [Install]
    WantedBy=timers.target
    """"#,
};
