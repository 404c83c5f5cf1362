use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "environment-clash",
    severity: Severity::Error,
    summary: "two roles that can meet set one environment variable differently",
    explanation: "\
The files of both roles are read at login and the later name wins. A host may say otherwise than its roles: its file
is read after theirs.

Refused:

    # roles/base.toml
    [environment]
    EDITOR = \"nano\"

    # roles/git.toml
    [environment]
    EDITOR = \"vi\"

Accepted:

    # roles/base.toml
    [environment]
    EDITOR = \"nano\"

    # hosts/git.example.org.toml
    roles = [\"base\"]
    release = \"bookworm\"
    [environment]
    EDITOR = \"vi\"",
};
