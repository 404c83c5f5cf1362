use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "conflicts-with-included",
    severity: Severity::Error,
    summary: "a role conflicts with a role that it includes",
    explanation: r#"A role depends on the roles that it includes. If it also conflicts with (or breaks) one of them, directly or
further down, it can never be installed.

Refused:

    # roles/base.toml
    # roles/web.toml
    includes = ["base"]
    conflicts = ["pg-role-base"]

Accepted:

    # roles/base.toml
    # roles/web.toml
    includes = ["base"]"#,
};
