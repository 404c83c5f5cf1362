use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "duplicate-relation",
    severity: Severity::Warning,
    summary: "a relation field lists the same relation twice",
    explanation: r#"It has no effect, and may be a slip for another package.

Refused:

    # roles/web.toml
    depends = ["nginx", "varnish", "nginx"]

Accepted:

    # roles/web.toml
    depends = ["nginx", "varnish"]"#,
};
