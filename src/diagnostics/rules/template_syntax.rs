use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "template-syntax",
    severity: Severity::Error,
    summary: "a template can't be read",
    explanation: "\
A file with `template = true` is read as a Jinja template (minijinja): {{ value }}, {% if … %}, {% for … %},
{# comment #}. This one has a statement that is not closed or not known. The place is in the template's text.

Refused:
    listen {{ host.ipv4 ;

Accepted:
    listen {{ host.ipv4 }};

A literal {{ is written {{ \"{{\" }}, or between {% raw %} and {% endraw %}.",
};
