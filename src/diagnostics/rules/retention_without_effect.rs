use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "retention-without-effect",
    severity: Severity::Warning,
    summary: "a retention that another one makes useless",
    explanation: r#"Of backups that are all kept, the last one of each day is kept anyway: a sparser series makes sense for a longer time
alone.

Refused:

    # roles/web.toml
    [[backup]]
    name = "www"
    paths = ["/srv/www"]
    keep_daily = "60d"
    keep_weekly = "4w"

Accepted:

    # roles/web.toml
    [[backup]]
    name = "www"
    paths = ["/srv/www"]
    keep_daily = "60d"
    keep_weekly = "26w""#,
};
