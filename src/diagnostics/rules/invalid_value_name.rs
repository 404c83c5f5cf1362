use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-value-name",
    severity: Severity::Error,
    summary: "a value whose name a template can't use",
    explanation: r#"Templates read values as host.NAME and fleet.NAME: a name is letters, digits and "_", a digit not first.

Refused:

    # roles/web.toml
    [values]
    max-clients = 100

Accepted:

    # roles/web.toml
    [values]
    max_clients = 100"#,
};
