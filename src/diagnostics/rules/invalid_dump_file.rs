use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-dump-file",
    severity: Severity::Error,
    summary: "a name that the file of a dump can not have",
    explanation: r#"The file is put below /var/lib/PREFIX-backup/JOB/, where only root reads it. Its name has letters, digits, ".", "_"
and "-", and begins with a letter or a digit.

Refused:

    # roles/db.toml
    [[backup]]
    name = "cluster"

    [[backup.dump]]
    file = "../all.sql"
    command = "pg_dumpall"
    user = "postgres"

Accepted:

    # roles/db.toml
    [[backup]]
    name = "cluster"

    [[backup.dump]]
    file = "all.sql"
    command = "pg_dumpall"
    user = "postgres""#,
};
