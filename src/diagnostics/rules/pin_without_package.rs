use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "pin-without-package",
    severity: Severity::Error,
    summary: "a package is allowed to replace Debian's, and is not in packages/",
    explanation: r#"`[pin] allow` names packages of the site's own, in packages/, that machines take instead of Debian's. A name that is
not there has no effect now, and would have one for whatever came there later.

Refused:

    # debrole.toml
    [pin]
    allow = ["nginx"]

Accepted:

    # debrole.toml
    [pin]
    allow = []"#,
};
