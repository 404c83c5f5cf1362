use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "wrong-type",
    severity: Severity::Error,
    summary: "a value of another type than the key has",
    explanation: r#"Each key has one type: a string, a list of strings, true or false, a number, or a table. The reference lists
them.

Refused:

    # roles/web.toml
    depends = "nginx"
    [[file]]
    path = "/etc/motd"
    content = "Hello\n"
    mode = 644

Accepted:

    # roles/web.toml
    depends = ["nginx"]
    [[file]]
    path = "/etc/motd"
    content = "Hello\n"
    mode = "0644""#,
};
