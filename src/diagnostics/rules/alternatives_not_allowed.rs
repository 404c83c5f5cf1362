use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "alternatives-not-allowed",
    severity: Severity::Error,
    summary: "alternatives in a relation field that takes none",
    explanation: r#"Breaks, Conflicts, Replaces and Provides are lists of packages: "a | b" has no meaning there (Debian Policy
7.1). To conflict with both, list both.

Refused:

    # roles/web.toml
    conflicts = ["apache2 | lighttpd"]

Accepted:

    # roles/web.toml
    conflicts = ["apache2", "lighttpd"]"#,
};
