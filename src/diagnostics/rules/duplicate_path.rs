use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "duplicate-path",
    severity: Severity::Error,
    summary: "one role or host gives the same path twice",
    explanation: r#"Two tables of one role or host are about the same path, and only one of them could take effect. /bin, /sbin and
/lib count as /usr/bin, /usr/sbin and /usr/lib: on Debian they are the same directories. In a [release.NAME]
section, a table with the same path replaces the common one.

Refused:

    # roles/web.toml
    [[file]]
    path = "/lib/tmpfiles.d/web.conf"
    content = "d /run/web 0755 www-data www-data\n"
    [[symlink]]
    path = "/usr/lib/tmpfiles.d/web.conf"
    target = "nginx.conf"

Accepted:

    # roles/web.toml
    [[file]]
    path = "/usr/lib/tmpfiles.d/web.conf"
    content = "d /run/web 0755 www-data www-data\n""#,
};
