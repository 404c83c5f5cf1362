use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "password-in-package",
    severity: Severity::Warning,
    summary: "a password that everybody who reads the repository can read",
    explanation: r#"Packages are public to everybody who reaches the repository, and stay in the pool after the line is gone.
debconf needs no answer of type password to go on: it is asked at a low priority, or the package makes one.

Refused:

    # roles/db.toml
    [[debconf]]
    package = "mariadb-server"
    question = "mysql-server/root_password"
    type = "password"
    value = "hunter2"

Accepted:

    # roles/db.toml
    [[debconf]]
    package = "mariadb-server"
    question = "mysql-server/root_password"
    type = "password"
    value = """#,
};
