use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "backup-path-twice",
    severity: Severity::Warning,
    summary: "paths of one job of which one is below the other",
    explanation: r#"A directory is backed up with all that is below it.

Refused:

    # roles/web.toml
    [[backup]]
    name = "www"
    paths = ["/srv/www", "/srv/www/images"]

Accepted:

    # roles/web.toml
    [[backup]]
    name = "www"
    paths = ["/srv/www"]"#,
};
