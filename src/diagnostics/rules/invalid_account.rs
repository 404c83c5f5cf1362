use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-account",
    severity: Severity::Error,
    summary: "not the name of a user or group",
    explanation: r#"Users and groups are named as in useradd(8): lower case letters, digits, "_" and "-", a letter or "_" first, at
most 32 characters. Numbers are refused: the same number is another user on the next machine.

Refused:

    # roles/web.toml
    [[directory]]
    path = "/srv/www"
    owner = "33"

Accepted:

    # roles/web.toml
    [[directory]]
    path = "/srv/www"
    owner = "www-data""#,
};
