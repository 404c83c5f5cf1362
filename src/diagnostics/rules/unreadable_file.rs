use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "unreadable-file",
    severity: Severity::Error,
    summary: "a file of the tree can't be read",
    explanation: r#"The user who builds may not read it, or the disk has an error. Nothing is built without it: a package that lacks
a file would take it from machines.

Refused: `chmod 0000 roles/web.toml`.

Accepted: `chmod 0644 roles/web.toml`."#,
};
