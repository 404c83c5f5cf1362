use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "schedule-never-fires",
    severity: Severity::Error,
    summary: "a schedule that never comes",
    explanation: r#"No month has the days that it names: the job would be there, and never run.

Refused:

    # roles/web.toml
    [[backup]]
    name = "www"
    paths = ["/srv/www"]
    schedule = "*-02-30 04:00"

Accepted:

    # roles/web.toml
    [[backup]]
    name = "www"
    paths = ["/srv/www"]
    schedule = "*-02-28 04:00""#,
};
