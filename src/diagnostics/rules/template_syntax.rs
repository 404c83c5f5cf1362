use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "template-syntax",
    severity: Severity::Error,
    summary: "a template can't be read",
    explanation: "\
A file with `template = true` is read as a Jinja template (minijinja): {{ value }}, {% if … %}, {% for … %},
{# comment #}. This one has a statement that is not closed or not known.

Refused:

    # roles/web.toml
    [[file]]
    path = \"/etc/nginx/conf.d/listen.conf\"
    template = true
    content = \"listen {{ fleet.prefix ;\"

Accepted:

    # roles/web.toml
    [[file]]
    path = \"/etc/nginx/conf.d/listen.conf\"
    template = true
    content = \"listen {{ fleet.prefix }};\"

A literal {{ is written {{ \"{{\" }}, or between {% raw %} and {% endraw %}.",
};
