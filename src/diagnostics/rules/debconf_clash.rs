use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "debconf-clash",
    severity: Severity::Error,
    summary: "two packages that can meet answer one debconf question differently",
    explanation: "\
Answers are seeded in the order in which dpkg unpacks the packages, which nobody can foresee.

Refused:

    # roles/mail.toml
    [[debconf]]
    package = \"postfix\"
    question = \"postfix/main_mailer_type\"
    type = \"select\"
    value = \"Internet Site\"

    # roles/quiet.toml
    [[debconf]]
    package = \"postfix\"
    question = \"postfix/main_mailer_type\"
    type = \"select\"
    value = \"Local only\"

Accepted:

    # roles/mail.toml
    [[debconf]]
    package = \"postfix\"
    question = \"postfix/main_mailer_type\"
    type = \"select\"
    value = \"Internet Site\"

    # roles/quiet.toml
    includes = [\"mail\"]

Answer the question in one role, or declare that the roles never meet (`conflicts`).",
};
