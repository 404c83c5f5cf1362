use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-debconf-value",
    severity: Severity::Error,
    summary: "an answer that does not fit the question's type",
    explanation: r#"The answer to a boolean question is "true" or "false" (debconf-devel(7)); with any other, the package's scripts
take neither branch.

Refused:

    # roles/mail.toml
    [[debconf]]
    package = "postfix"
    question = "postfix/chattr"
    type = "boolean"
    value = "yes"

Accepted:

    # roles/mail.toml
    [[debconf]]
    package = "postfix"
    question = "postfix/chattr"
    type = "boolean"
    value = "true""#,
};
