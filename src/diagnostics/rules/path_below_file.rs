use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "path-below-file",
    severity: Severity::Error,
    summary: "a path below another that is not a directory",
    explanation: r#"One table puts a file, a link or nothing at a path, another wants something below it, as if it were a directory.

Refused:

    # roles/web.toml
    [[file]]
    path = "/srv/www"
    content = "Hello\n"
    [[file]]
    path = "/srv/www/index.html"
    content = "Hello\n"

Accepted:

    # roles/web.toml
    [[directory]]
    path = "/srv/www"
    [[file]]
    path = "/srv/www/index.html"
    content = "Hello\n""#,
};
