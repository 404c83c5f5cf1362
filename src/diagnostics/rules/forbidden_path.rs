use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "forbidden-path",
    severity: Severity::Error,
    summary: "a path that is not a role's or host's to manage",
    explanation: r#"Some paths belong to the kernel, to dpkg, to the runtime of the fleet, or to programs that keep entries of
others in them (/etc/passwd); some are emptied at every boot; some are directories of the base system that
nothing may replace. Files below /etc, /usr/local, /srv, /opt, /var/lib/SOMETHING and so on are all right.

Refused:

    # roles/web.toml
    [[file]]
    path = "/etc/passwd"
    content = "root:x:0:0:root:/root:/bin/bash\n"

Accepted:

    # roles/web.toml
    [[file]]
    path = "/usr/lib/sysusers.d/web.conf"
    content = "u web - \"Web\" /srv/www\n""#,
};
