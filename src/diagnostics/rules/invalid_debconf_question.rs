use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-debconf-question",
    severity: Severity::Error,
    summary: "not the name of a debconf question",
    explanation: r#"Questions are named PACKAGE/NAME (debconf-devel(7)). `debconf-show PACKAGE` lists them on a machine that has the
package.

Refused:

    # roles/mail.toml
    [[debconf]]
    package = "postfix"
    question = "main_mailer_type"
    type = "select"
    value = "Internet Site"

Accepted:

    # roles/mail.toml
    [[debconf]]
    package = "postfix"
    question = "postfix/main_mailer_type"
    type = "select"
    value = "Internet Site""#,
};
