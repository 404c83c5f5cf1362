use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "path-claimed-twice",
    severity: Severity::Error,
    summary: "two packages that can meet on one machine claim the same path",
    explanation: "\
Two packages that can be installed together want to put something at the same path, or one wants a file where the
other needs a directory. On the machine one of them would silently win, and removing either would take the other's
file away. /bin, /sbin, /lib and /lib64 count as /usr/bin, /usr/sbin, /usr/lib and /usr/lib64, because on Debian they
are the same directories. A directory may be shared if mode, owner and group are the same. A host's own rendering of
a template of one of its roles takes the place of the role's.

Refused:

    # roles/web.toml
    [[file]]
    path = \"/etc/nginx/conf.d/site.conf\"
    content = \"server_tokens off;\"

    # roles/proxy.toml
    [[file]]
    path = \"/etc/nginx/conf.d/site.conf\"
    content = \"server_tokens build;\"

Accepted:

    # roles/web.toml
    conflicts = [\"pg-role-proxy\"]
    [[file]]
    path = \"/etc/nginx/conf.d/site.conf\"
    content = \"server_tokens off;\"

    # roles/proxy.toml
    [[file]]
    path = \"/etc/nginx/conf.d/site.conf\"
    content = \"server_tokens build;\"

Here the roles never meet. Otherwise give one of the files another name, or move it into a role that both include.",
};
