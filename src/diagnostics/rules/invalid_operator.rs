use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-operator",
    severity: Severity::Error,
    summary: "a version operator that is deprecated or that there is none of",
    explanation: r#"The operators are <<, <=, =, >= and >> (Debian Policy 7.1). "<" and ">" are read as "<=" and ">=", which is
hardly ever what was meant; dpkg warns of them.

Refused:

    # roles/web.toml
    depends = ["nginx (> 1.22)"]

Accepted:

    # roles/web.toml
    depends = ["nginx (>= 1.22)"]"#,
};
