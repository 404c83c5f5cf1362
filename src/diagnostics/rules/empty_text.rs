use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "empty-text",
    severity: Severity::Error,
    summary: "a command, script, value or list that must not be empty is",
    explanation: r#"An empty command or script does nothing, an empty value says nothing. What is not wanted is left out.

Refused:

    # roles/web.toml
    [[file]]
    path = "/etc/nginx/conf.d/web.conf"
    content = "server_tokens off;\n"
    validate = ""

Accepted:

    # roles/web.toml
    [[file]]
    path = "/etc/nginx/conf.d/web.conf"
    content = "server_tokens off;\n"
    validate = "nginx -t""#,
};
