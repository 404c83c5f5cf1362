use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "backup-ages-inverted",
    severity: Severity::Error,
    summary: "a warning that would come after the alarm",
    explanation: r#"From `warn_after` on monitoring warns of the newest backup's age, from `critical_after` on it is critical.

Refused:

    # roles/web.toml
    [[backup]]
    name = "www"
    paths = ["/srv/www"]
    warn_after = "72h"
    critical_after = "48h"

Accepted:

    # roles/web.toml
    [[backup]]
    name = "www"
    paths = ["/srv/www"]
    warn_after = "48h"
    critical_after = "72h""#,
};
