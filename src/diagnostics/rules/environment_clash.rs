use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "environment-clash",
    severity: Severity::Error,
    summary: "two roles that can meet set one environment variable differently",
    explanation: "\
The files of both roles are read at login and the later name wins. A host may say otherwise than its roles: its file
is read after theirs.

Refused:
    # roles/base.toml                    # roles/git.toml
    [environment]                        [environment]
    EDITOR = \"nano\"                      EDITOR = \"vim\"

Accepted: set it in one role, and the exception in the host's file.",
};
