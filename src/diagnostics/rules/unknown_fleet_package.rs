use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "unknown-fleet-package",
    severity: Severity::Error,
    summary: "a relation to a package of the fleet that there won't be",
    explanation: r#"PREFIX-role-… and PREFIX-host-… are made from the tree, so it is known which there will be. (Roles that a role
needs are mostly better written as `includes`.)

Refused:

    # roles/web.toml
    suggests = ["pg-role-monitr"]
    # roles/monitor.toml

Accepted:

    # roles/web.toml
    suggests = ["pg-role-monitor"]
    # roles/monitor.toml"#,
};
