use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "generated-path",
    severity: Severity::Error,
    summary: "a name makes a path that can't be managed",
    explanation: "\
The name of a unit or a cron job becomes part of a path on the machine, and that path would be too long or have a
character that a managed path can't have (the backslash of an escaped unit name).

Refused:

    # roles/files.toml
    [[unit]]
    name = 'mnt-big\\x2ddisk.mount'
    content = \"\"\"
    [Mount]
    What=/dev/vdb
    Where=/mnt/big-disk
    \"\"\"

Accepted:

    # roles/files.toml
    [[unit]]
    name = \"mnt-bigdisk.mount\"
    content = \"\"\"
    [Mount]
    What=/dev/vdb
    Where=/mnt/bigdisk
    \"\"\"

A unit for an escaped path is better left to the generator that systemd has for it (/etc/fstab for mounts).",
};
