use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-schedule",
    severity: Severity::Error,
    summary: "a schedule that systemd does not read",
    explanation: r#"A schedule is "hourly", "daily", "weekly" or "monthly", or days of the week, a date and a time of systemd.time(7),
each of which may be missing: "Mon..Fri *-*-* 22:30", "*-*-01,15 04:00", "02:30". The year is "*", and there is no time
zone: machines go by their own.

Refused:

    # roles/web.toml
    [[backup]]
    name = "www"
    paths = ["/srv/www"]
    schedule = "17 3 * * *"

Accepted:

    # roles/web.toml
    [[backup]]
    name = "www"
    paths = ["/srv/www"]
    schedule = "03:17""#,
};
