use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "backup-age-before-next",
    severity: Severity::Error,
    summary: "an age that every backup reaches before the next one comes",
    explanation: r#"With a weekly backup the newest one is up to seven days old while all is well. Without `warn_after` and
`critical_after` the ages follow from the schedule.

Refused:

    # roles/web.toml
    [[backup]]
    name = "www"
    paths = ["/srv/www"]
    schedule = "weekly"
    warn_after = "28h"

Accepted:

    # roles/web.toml
    [[backup]]
    name = "www"
    paths = ["/srv/www"]
    schedule = "weekly"
    warn_after = "8d""#,
};
