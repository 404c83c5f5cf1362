use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "cron-percent",
    severity: Severity::Error,
    summary: "a bare % in the command of a cron job",
    explanation: r#"cron ends the command at the first "%" and gives the rest to it on its standard input, with a newline for each
further "%" (crontab(5)). `date +%F` becomes `date +`. Where a percent sign is meant, it is written "\%".

Refused:

    # roles/db.toml
    [[cron]]
    name = "dump"
    schedule = "17 3 * * *"
    command = "pg_dumpall > /srv/dump-$(date +%F)"

Accepted:

    # roles/db.toml
    [[cron]]
    name = "dump"
    schedule = "17 3 * * *"
    command = 'pg_dumpall > /srv/dump-$(date +\%F)'"#,
};
