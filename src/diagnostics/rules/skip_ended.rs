use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "skip-ended",
    severity: Severity::Warning,
    summary: "a check that is to be made again",
    explanation: r#"A machine does without a check for a time, with a reason. After the last day it is told until somebody removes the skip, and the
check is made again, or writes a later day.

Refused:

    # roles/base.toml
    depends = ["sudo"]

    # hosts/one.example.org.toml
    roles = ["base"]
    release = "bookworm"
    [[monitoring.skip]]
    check  = "updates"
    reason = "frozen until the vendor has moved"
    until  = 2026-11-21

Accepted:

    # roles/base.toml
    depends = ["sudo"]

    # hosts/one.example.org.toml
    roles = ["base"]
    release = "bookworm"
    [[monitoring.skip]]
    check  = "updates"
    reason = "frozen until the vendor has moved"
    until  = 2026-11-22"#,
};
