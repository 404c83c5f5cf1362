use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-shell",
    severity: Severity::Error,
    summary: "not a shell of Debian",
    explanation: r#"A login shell that is not there locks the person out. debrole knows Debian's shells and which package brings each; the
group's package depends on it.

Refused:

    # users/alice.toml
    shell = "/usr/local/bin/zsh"

Accepted:

    # users/alice.toml
    shell = "/usr/bin/zsh""#,
};
