use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "dangling-symlink",
    severity: Severity::Error,
    summary: "a symbolic link in the tree points to nothing",
    explanation: r#"A link in roles/, hosts/ or packages/ is followed when the tree is read, and this one leads nowhere. A link that
is to be made on the machine is not a link in the tree: it is written as [[symlink]], and its target need not
exist.

Refused:

    # roles/web.toml
    # roles/web/site.conf -> common.conf

Accepted:

    # roles/web.toml
    [[symlink]]
    path = "/etc/nginx/conf.d/site.conf"
    target = "common.conf""#,
};
