use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "administrator-expires-soon",
    severity: Severity::Warning,
    summary: "in two weeks nobody is left who can administer a machine",
    explanation: r#"The access of the last person who can log in to a machine and do everything there ends within two weeks. From that
day on every build is refused (no-administrator).

Refused, built on 2026-11-22:

    # users/alice.toml, the only administrator
    expires = 2026-11-30

Accepted:

    # users/alice.toml
    expires = 2027-12-31"#,
};
