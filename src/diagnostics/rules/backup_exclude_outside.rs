use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "backup-exclude-outside",
    severity: Severity::Warning,
    summary: "a pattern that excludes nothing",
    explanation: r#"An excluded path is below one of the job's `paths`. Without that it is a misspelt one, mostly, and what was meant is
backed up. A pattern without a slash in front ("*.tmp") is for names anywhere.

Refused:

    # roles/web.toml
    [[backup]]
    name = "www"
    paths = ["/srv/www"]
    exclude = ["/srv/ww/cache"]

Accepted:

    # roles/web.toml
    [[backup]]
    name = "www"
    paths = ["/srv/www"]
    exclude = ["/srv/www/cache"]"#,
};
