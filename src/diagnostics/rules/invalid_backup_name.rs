use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-backup-name",
    severity: Severity::Error,
    summary: "a name that no backup job can have",
    explanation: r#"The name is a part of a unit's name, of a tag of restic's and of a name in the monitoring: lower case letters, digits
and inner hyphens, at most 60.

Refused:

    # roles/web.toml
    [[backup]]
    name = "www; rm"
    paths = ["/srv/www"]

Accepted:

    # roles/web.toml
    [[backup]]
    name = "www"
    paths = ["/srv/www"]"#,
};
