use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-debconf-type",
    severity: Severity::Error,
    summary: "not a type of debconf question",
    explanation: r#"A question has one of the types string, boolean, select, multiselect, note, password and text, as in the
package's templates file (debconf-devel(7)). debconf ignores an answer of another type.

Refused:

    # roles/mail.toml
    [[debconf]]
    package = "postfix"
    question = "postfix/main_mailer_type"
    type = "selection"
    value = "Internet Site"

Accepted:

    # roles/mail.toml
    [[debconf]]
    package = "postfix"
    question = "postfix/main_mailer_type"
    type = "select"
    value = "Internet Site""#,
};
