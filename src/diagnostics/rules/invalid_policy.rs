use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-policy",
    severity: Severity::Error,
    summary: "a file's policy that there is not, or one that contradicts `adopt`",
    explanation: r#"`policy` says whose a file is: `managed` (ours), `initial` (put there once, then the machine's own) or `divert` (in
the place of a file that dpkg installed). `adopt` is for a file that a package's maintainer scripts made, which dpkg
does not know: it can't be diverted, and it is managed as long as that package is installed.

Refused:

    # roles/mail.toml
    [[file]]
    path = "/etc/mail.cf"
    content = "x\n"
    policy = "once"

Accepted:

    # roles/mail.toml
    [[file]]
    path = "/etc/mail.cf"
    content = "x\n"
    policy = "initial""#,
};
