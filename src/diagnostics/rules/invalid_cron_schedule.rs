use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-cron-schedule",
    severity: Severity::Error,
    summary: "a schedule that cron does not read",
    explanation: r#"cron ignores a whole file with a line that it does not read, and says so only in its log. A schedule is minute,
hour, day of month, month and day of week, each "*", a number, a range or a list of them with steps ("*/5"), or
one of @reboot, @yearly, @monthly, @weekly, @daily and @hourly (crontab(5)).

Refused:

    # roles/db.toml
    [[cron]]
    name = "dump"
    schedule = "17 24 * * *"
    command = "true"

Accepted:

    # roles/db.toml
    [[cron]]
    name = "dump"
    schedule = "17 0 * * *"
    command = "true""#,
};
