use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "exclusive-outside-etc",
    severity: Severity::Error,
    summary: "an exclusive directory that is not below /etc",
    explanation: r#"What is in an exclusive directory and is no package's is moved away. That is meant for directories of configuration,
where a stray file takes effect (`/etc/sudoers.d`); elsewhere it would be people's data.

Refused:

    # roles/web.toml
    [[directory]]
    path = "/srv/www"
    exclusive = true

Accepted:

    # roles/web.toml
    [[directory]]
    path = "/etc/web/conf.d"
    exclusive = true"#,
};
