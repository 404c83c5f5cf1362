use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "missing-key",
    severity: Severity::Error,
    summary: "a required key is missing",
    explanation: r#"The table can't be understood without it. The reference lists the keys of every table.

Refused:

    # roles/web.toml
    [[symlink]]
    path = "/etc/nginx/sites-enabled/web"

Accepted:

    # roles/web.toml
    [[symlink]]
    path = "/etc/nginx/sites-enabled/web"
    target = "../sites-available/web""#,
};
