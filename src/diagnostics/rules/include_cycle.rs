use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "include-cycle",
    severity: Severity::Error,
    summary: "roles include each other in a circle",
    explanation: r#"A role depends on the roles that it includes; in a circle, all of them would always be installed together, and
apt could configure them in no right order. What they need of each other goes into a role that both include.

Refused:

    # roles/base.toml
    includes = ["web"]
    # roles/web.toml
    includes = ["proxy"]
    # roles/proxy.toml
    includes = ["base"]

Accepted:

    # roles/base.toml
    # roles/web.toml
    includes = ["proxy"]
    # roles/proxy.toml
    includes = ["base"]"#,
};
