use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "duplicate-key",
    severity: Severity::Error,
    summary: "a TOML key or table is given twice",
    explanation: r#"TOML has each key at most once in a table, and each table at most once in a file (an array of tables, [[file]],
any number of times). Which of the two is meant can't be told.

Refused:

    # roles/web.toml
    depends = ["nginx"]
    depends = ["varnish"]

Accepted:

    # roles/web.toml
    depends = ["nginx", "varnish"]"#,
};
