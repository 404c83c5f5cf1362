use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "provides-needs-equals",
    severity: Severity::Error,
    summary: "a provided version with another operator than =",
    explanation: r#"What a package provides has one version: "= VERSION" or none (Debian Policy 7.5).

Refused:

    # roles/web.toml
    provides = ["httpd (>= 2)"]

Accepted:

    # roles/web.toml
    provides = ["httpd (= 2)"]"#,
};
