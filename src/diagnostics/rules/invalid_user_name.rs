use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-user-name",
    severity: Severity::Error,
    summary: "a file whose name no user can have",
    explanation: r#"A user's name is lower case letters, digits and inner hyphens, a letter first, at most 31 characters. A file of
sudoers.d, a mail address and a home directory are named after it, and not all of them take dots.

Refused:

    # users/john.doe.toml
    uid = 2001

Accepted:

    # users/john-doe.toml
    uid = 2001"#,
};
