use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "id-outside-band",
    severity: Severity::Error,
    summary: "a number that is not for people",
    explanation: r#"0 is root's, 1-999 and 60000-65535 are Debian's (Debian Policy 9.2.2), and what is outside of the fleet's band may be
the number of an account that somebody made by hand.

Refused:

    # users/alice.toml
    uid = 0

Accepted:

    # users/alice.toml
    uid = 2001"#,
};
