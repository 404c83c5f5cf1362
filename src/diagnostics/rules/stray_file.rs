use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "stray-file",
    severity: Severity::Warning,
    summary: "a file in roles/, hosts/ or packages/ that is not read",
    explanation: r#"Roles are roles/NAME.toml, hosts are hosts/FQDN.toml, packages are packages/*.deb. Other files there have no
effect; what begins with a dot or with README, or ends in "~", is left alone.

Refused:

    # roles/web.tml

Accepted:

    # roles/web.toml"#,
};
