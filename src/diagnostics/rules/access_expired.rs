use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "access-expired",
    severity: Severity::Warning,
    summary: "access that has ended",
    explanation: r#"The last day of an account or of a key has passed. Machines have let it go on that day, by their own clocks; the
entry does nothing any more and is better removed, so that nobody takes it for access.

Refused:

    # users/alice.toml
    expires = 2020-12-31

Accepted:

    # users/alice.toml
    expires = 2099-12-31"#,
};
