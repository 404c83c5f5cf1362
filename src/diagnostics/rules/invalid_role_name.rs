use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-role-name",
    severity: Severity::Error,
    summary: "a file in roles/ whose name can't name a role",
    explanation: r#"A role's name is a part of its package's name: lower case letters, digits and inner hyphens, 1 to 60 characters.

Refused:

    # roles/Web_Server.toml

Accepted:

    # roles/web-server.toml"#,
};
