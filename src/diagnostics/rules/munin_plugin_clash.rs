use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "munin-plugin-clash",
    severity: Severity::Error,
    summary: "one plugin by one name, in two ways",
    explanation: r#"Two roles of a machine may want the same plugin of Munin: it is there once. By one name it can't be two plugins, nor have two
settings.

Refused:

    # roles/web.toml
    [[munin]]
    plugin = "nginx_request"
    env = { url = "http://localhost/status" }

    # roles/cache.toml
    [[munin]]
    plugin = "nginx_request"
    env = { url = "http://localhost/other" }

    # hosts/one.example.org.toml
    roles = ["web", "cache"]
    release = "bookworm"
    addresses = ["192.0.2.1"]

    # roles/monitor.toml
    [munin_server]

    # hosts/mon1.example.org.toml
    roles = ["monitor"]
    release = "bookworm"
    addresses = ["192.0.2.50"]

Accepted:

    # roles/web.toml
    [[munin]]
    plugin = "nginx_request"
    env = { url = "http://localhost/status" }

    # roles/cache.toml
    [[munin]]
    plugin = "nginx_request"
    env = { url = "http://localhost/status" }

    # hosts/one.example.org.toml
    roles = ["web", "cache"]
    release = "bookworm"
    addresses = ["192.0.2.1"]

    # roles/monitor.toml
    [munin_server]

    # hosts/mon1.example.org.toml
    roles = ["monitor"]
    release = "bookworm"
    addresses = ["192.0.2.50"]"#,
};
