use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "toml-syntax",
    severity: Severity::Error,
    summary: "not TOML",
    explanation: r#"The file does not follow the grammar of TOML (https://toml.io). Strings are in quotes, lists in brackets, tables
begin with their name in brackets. Where the syntax is wrong, nothing else is reported of the file: it can't be
told.

Refused:

    # roles/web.toml
    depends = ["nginx"
    mode = 0644

Accepted:

    # roles/web.toml
    depends = ["nginx"]"#,
};
