use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-environment-name",
    severity: Severity::Error,
    summary: "not the name of an environment variable",
    explanation: r#"Names of environment variables are letters, digits and "_", a digit not first (environment.d(5)); a shell takes
anything else for a command.

Refused:

    # roles/base.toml
    [environment]
    my-editor = "vim"

Accepted:

    # roles/base.toml
    [environment]
    EDITOR = "vim""#,
};
