use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-cron-name",
    severity: Severity::Error,
    summary: "a cron job's name that cron would ignore",
    explanation: r#"The name becomes a part of a file name in /etc/cron.d, where cron ignores all files with dots and other
characters than letters, digits, "_" and "-" (cron(8)).

Refused:

    # roles/db.toml
    [[cron]]
    name = "dump.daily"
    schedule = "@daily"
    command = "true"

Accepted:

    # roles/db.toml
    [[cron]]
    name = "dump-daily"
    schedule = "@daily"
    command = "true""#,
};
