use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "build-profile",
    severity: Severity::Error,
    summary: "a build profile in a relation of a binary package",
    explanation: r#""<!nocheck>" is for the build dependencies of source packages. In a binary package's control file, dpkg takes it
for a syntax error.

Refused:

    # roles/web.toml
    depends = ["nginx <!nocheck>"]

Accepted:

    # roles/web.toml
    depends = ["nginx"]"#,
};
