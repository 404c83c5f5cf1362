use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "self-relation",
    severity: Severity::Error,
    summary: "a package with a relation to itself",
    explanation: r#"A package can't depend on, conflict with or break itself: dpkg ignores some of these and refuses others.

Refused:

    # roles/web.toml
    depends = ["nginx", "pg-role-web"]

Accepted:

    # roles/web.toml
    depends = ["nginx"]"#,
};
