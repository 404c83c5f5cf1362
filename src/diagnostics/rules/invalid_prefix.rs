use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-prefix",
    severity: Severity::Error,
    summary: "a prefix that can't begin package names",
    explanation: r#"The prefix begins the names of all generated packages (pg-role-web), of the runtime's command and of its
directories: 2 to 16 lower case letters and digits, a letter first.

Refused:

    # debrole.toml
    [fleet]
    prefix = "PG-"

Accepted:

    # debrole.toml
    [fleet]
    prefix = "pg""#,
};
