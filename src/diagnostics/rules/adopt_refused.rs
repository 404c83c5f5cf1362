use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "adopt-refused",
    severity: Severity::Error,
    summary: "an account that nobody may take over",
    explanation: r#"[[adopt]] is for accounts of people that were there before debrole. Those of Debian and of software (numbers below
1000 and from 60000 on) stay what they are.

Refused:

    # users/alice.toml
    [[adopt]]
    uid = 33
    files = "home"

Accepted:

    # users/alice.toml
    [[adopt]]
    uid = 1000
    files = "home""#,
};
