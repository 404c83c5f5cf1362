use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "path-claimed-twice",
    severity: Severity::Error,
    summary: "two packages that can meet on one machine claim the same path",
    explanation: "\
Two packages that can be installed together want to put something at the same path. On the machine one of them
would silently win, and removing either would take the other's file away. /bin, /sbin, /lib and /lib64 count as
/usr/bin, /usr/sbin, /usr/lib and /usr/lib64, because on Debian they are the same directories.

Refused:
    # roles/web.toml                              # roles/proxy.toml
    [[file]]                                      [[file]]
    path = \"/etc/nginx/conf.d/site.conf\"          path = \"/etc/nginx/conf.d/site.conf\"

Accepted: give one of them another name, move the file into a role that both include, or declare that the roles
never meet (`conflicts = [\"pg-role-proxy\"]`).",
};
