use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "backup-path-volatile",
    severity: Severity::Error,
    summary: "a path that is made anew at each boot",
    explanation: r#"/proc, /sys and /dev are the kernel's, /run and /tmp are empty after a boot. What a command writes for the backup's
sake belongs into a [[backup.dump]], which is kept for root alone.

Refused:

    # roles/web.toml
    [[backup]]
    name = "www"
    paths = ["/tmp/dump"]

Accepted:

    # roles/web.toml
    [[backup]]
    name = "www"
    dump = [{ file = "list", command = "dpkg --get-selections" }]"#,
};
