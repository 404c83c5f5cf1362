use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-size",
    severity: Severity::Error,
    summary: "not a size",
    explanation: r#"A size is a number and K, M, G or T: 1K is 1024 bytes.

Refused:

    # roles/web.toml
    [[backup]]
    name = "www"
    paths = ["/srv/www"]
    at_least = "100"

Accepted:

    # roles/web.toml
    [[backup]]
    name = "www"
    paths = ["/srv/www"]
    at_least = "100M""#,
};
