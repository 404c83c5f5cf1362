use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-relation",
    severity: Severity::Error,
    summary: "not a relation between packages",
    explanation: r#"A relation is written as in a control file: a package's name, a version in parentheses, alternatives separated
by "|" (Debian Policy 7.1). Each relation is a string of its own.

Refused:

    # roles/web.toml
    depends = ["nginx >= 1.22", "varnish, curl"]

Accepted:

    # roles/web.toml
    depends = ["nginx (>= 1.22)", "varnish", "curl"]"#,
};
