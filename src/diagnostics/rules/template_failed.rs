use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "template-failed",
    severity: Severity::Error,
    summary: "a template can't be rendered",
    explanation: "\
The template is well formed, but rendering it failed: an unknown filter, a sum of a number and a text, a loop that
does not end, an include (templates stand alone). Templates are rendered when the tree is compiled, so no machine has
seen anything of it.

Refused:

    # roles/web.toml
    [values]
    cores = 4
    [[file]]
    path = \"/etc/web.conf\"
    template = true
    content = 'workers = {{ host.cores + \"1\" }}'

Accepted:

    # roles/web.toml
    [values]
    cores = 4
    [[file]]
    path = \"/etc/web.conf\"
    template = true
    content = 'workers = {{ host.cores + 1 }}'",
};
