use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "unknown-template-value",
    severity: Severity::Error,
    summary: "a template asks for a value that nothing sets",
    explanation: "\
Templates are strict: a name that nothing sets is an error, never an empty text. Known are fleet.* (the fleet and its
[values]), role.name, release.codename and release.version, and host.* (the machine, its [values], the role's
[values], the fleet's [host_values]).

Refused:

    # roles/web.toml
    [[file]]
    path = \"/etc/nginx/conf.d/name.conf\"
    template = true
    content = \"server_name {{ host.fqnd }};\"

Accepted:

    # roles/web.toml
    [[file]]
    path = \"/etc/nginx/conf.d/name.conf\"
    template = true
    content = \"server_name {{ host.fqdn }};\"

A value that may be missing is written {{ host.alias | default(\"none\") }}.",
};
