use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-backup-path",
    severity: Severity::Error,
    summary: "a path that can not be backed up",
    explanation: r#"A path is absolute, without "..", and in the characters that other paths of the tree have. The root itself is none:
what packages bring is installed again by apt, and a restore of it over a running system breaks that.

Refused:

    # roles/web.toml
    [[backup]]
    name = "www"
    paths = ["srv/www"]

Accepted:

    # roles/web.toml
    [[backup]]
    name = "www"
    paths = ["/srv/www"]"#,
};
