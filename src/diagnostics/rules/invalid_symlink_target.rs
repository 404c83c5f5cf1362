use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-symlink-target",
    severity: Severity::Error,
    summary: "a symbolic link that can't point there",
    explanation: r#"The target of a symbolic link is a path, absolute or relative to the link; not empty, not the link itself, at
most 1024 bytes.

Refused:

    # roles/web.toml
    [[symlink]]
    path = "/etc/nginx/sites-enabled/web"
    target = "/etc/nginx/sites-enabled/web"

Accepted:

    # roles/web.toml
    [[symlink]]
    path = "/etc/nginx/sites-enabled/web"
    target = "../sites-available/web""#,
};
