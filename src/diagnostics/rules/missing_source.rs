use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "missing-source",
    severity: Severity::Error,
    summary: "a source file or folder is not there",
    explanation: r#"`source` and `directory` name something in the folder beside the TOML file: roles/web/ for roles/web.toml.

Refused:

    # roles/web.toml
    [[file]]
    path = "/etc/nginx/conf.d/web.conf"
    source = "web.cnf"
    # roles/web/web.conf
    server_tokens off;

Accepted:

    # roles/web.toml
    [[file]]
    path = "/etc/nginx/conf.d/web.conf"
    source = "web.conf"
    # roles/web/web.conf
    server_tokens off;"#,
};
