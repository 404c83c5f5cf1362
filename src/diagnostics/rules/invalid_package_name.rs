use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-package-name",
    severity: Severity::Error,
    summary: "not the name of a Debian package",
    explanation: r#"Package names are at least two characters of lower case letters, digits, "+", "-" and ".", a letter or digit
first (Debian Policy 5.6.7).

Refused:

    # roles/web.toml
    depends = ["Nginx"]

Accepted:

    # roles/web.toml
    depends = ["nginx"]"#,
};
