use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "reload-and-restart",
    severity: Severity::Warning,
    summary: "a unit that is reloaded and restarted for the same file",
    explanation: r#"A restarted unit has read its configuration anew; to reload it as well does nothing.

Refused:

    # roles/web.toml
    [[file]]
    path = "/etc/nginx/conf.d/web.conf"
    content = "server_tokens off;\n"
    reload = ["nginx.service"]
    restart = ["nginx.service"]

Accepted:

    # roles/web.toml
    [[file]]
    path = "/etc/nginx/conf.d/web.conf"
    content = "server_tokens off;\n"
    reload = ["nginx.service"]"#,
};
