use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "reserved-value-name",
    severity: Severity::Error,
    summary: "a value with a name that has a meaning of its own",
    explanation: r#"host.fqdn, host.release and so on are what they are on each machine, and fleet.origin and so on what [fleet]
says: a value of the same name would hide them.

Refused:

    # roles/web.toml
    [values]
    fqdn = "www.example.org"

Accepted:

    # roles/web.toml
    [values]
    server_name = "www.example.org""#,
};
