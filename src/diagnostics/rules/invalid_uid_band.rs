use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-uid-band",
    severity: Severity::Error,
    summary: "a band of numbers that are not for people",
    explanation: r#"Debian leaves 1000-59999 to the administrator (Debian Policy 9.2.2); from 60000 on numbers are Debian's, systemd's or
for containers.

Refused:

    # debrole.toml
    [fleet]
    uids = "500-70000"

Accepted:

    # debrole.toml
    [fleet]
    uids = "5000-5999""#,
};
