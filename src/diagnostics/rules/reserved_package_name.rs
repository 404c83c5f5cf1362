use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "reserved-package-name",
    severity: Severity::Error,
    summary: "a role provides a name of debrole's own",
    explanation: r#"PREFIX-runtime, PREFIX-archive-keyring, PREFIX-role-…, PREFIX-host and PREFIX-host-… are names of generated
packages. Another package that provides one could take its place on a machine.

Refused:

    # roles/web.toml
    provides = ["pg-role-proxy"]

Accepted:

    # roles/web.toml
    provides = ["pg-proxy"]"#,
};
