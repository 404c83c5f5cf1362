use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "path-characters",
    severity: Severity::Error,
    summary: "a path with characters that a manifest can't hold",
    explanation: r#"Paths are written unquoted into manifests, scripts and units. They are made of letters, digits and ". _ - + @ :
, = %", at most 255 bytes a name and 1024 in all.

Refused:

    # roles/web.toml
    [[file]]
    path = "/srv/www/my file.html"
    content = "Hello\n"

Accepted:

    # roles/web.toml
    [[file]]
    path = "/srv/www/my-file.html"
    content = "Hello\n""#,
};
