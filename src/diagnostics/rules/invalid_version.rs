use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-version",
    severity: Severity::Error,
    summary: "not the version of a Debian package",
    explanation: r#"A version is [EPOCH:]UPSTREAM[-REVISION]: it begins with a digit, and holds letters, digits and ". + ~ -"
(Debian Policy 5.6.12).

Refused:

    # roles/web.toml
    depends = ["nginx (>= v1.22)"]

Accepted:

    # roles/web.toml
    depends = ["nginx (>= 1.22)"]"#,
};
