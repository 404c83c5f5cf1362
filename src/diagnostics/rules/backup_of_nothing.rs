use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "backup-of-nothing",
    severity: Severity::Error,
    summary: "a backup job that backs up nothing",
    explanation: r#"A job has `paths`, what commands write ([[backup.dump]]), or both.

Refused:

    # roles/web.toml
    [[backup]]
    name = "www"
    exclude = ["*.tmp"]

Accepted:

    # roles/web.toml
    [[backup]]
    name = "www"
    paths = ["/srv/www"]
    exclude = ["*.tmp"]"#,
};
