use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-maintainer",
    severity: Severity::Error,
    summary: "the maintainer is not \"Name <mail@address>\"",
    explanation: r#"Every package says who answers for it: a name, and a mail address in angle brackets that is read by people
(Debian Policy 5.6.2).

Refused:

    # debrole.toml
    [fleet]
    maintainer = "sysadmins@example.org"

Accepted:

    # debrole.toml
    [fleet]
    maintainer = "Example Sysadmins <sysadmins@example.org>""#,
};
