use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "empty-directory",
    severity: Severity::Error,
    summary: "a shipped directory without a file in it",
    explanation: r#"`directory` of a [[file]] puts every file of a folder on the machine; this folder has none, so nothing would
happen.

Refused:

    # roles/web.toml
    [[file]]
    path = "/srv/www"
    directory = "site"
    # roles/web/site/

Accepted:

    # roles/web.toml
    [[file]]
    path = "/srv/www"
    directory = "site"
    # roles/web/site/index.html
    <p>Hello</p>"#,
};
