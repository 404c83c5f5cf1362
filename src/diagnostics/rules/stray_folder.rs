use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "stray-folder",
    severity: Severity::Warning,
    summary: "a folder without the role or host that it would belong to",
    explanation: r#"roles/web/ holds what roles/web.toml ships. Without that file, nothing in it is used; mostly one of the two was
renamed.

Refused:

    # roles/web.toml
    # roles/wbe/index.html
    Hello

Accepted:

    # roles/web.toml
    [[file]]
    path = "/srv/www/index.html"
    source = "index.html"
    # roles/web/index.html
    Hello"#,
};
