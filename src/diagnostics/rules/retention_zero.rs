use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "retention-zero",
    severity: Severity::Error,
    summary: "a retention that keeps nothing",
    explanation: r#"`keep` and its siblings say for how long which backups are kept, counted back from the newest.

Refused:

    # roles/web.toml
    [[backup]]
    name = "www"
    paths = ["/srv/www"]
    keep = "0d"

Accepted:

    # roles/web.toml
    [[backup]]
    name = "www"
    paths = ["/srv/www"]
    keep = "1d""#,
};
