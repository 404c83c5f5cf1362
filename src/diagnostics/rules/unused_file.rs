use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "unused-file",
    severity: Severity::Warning,
    summary: "a shipped file that nothing uses",
    explanation: r#"A file in a role's or host's folder is put on a machine by a [[file]] or [[unit]] that names it. This one is
named by none, and has no effect.

Refused:

    # roles/web.toml
    [[file]]
    path = "/etc/motd"
    source = "motd"
    # roles/web/motd
    Hello
    # roles/web/issue
    Hello

Accepted:

    # roles/web.toml
    [[file]]
    path = "/etc/motd"
    source = "motd"
    # roles/web/motd
    Hello"#,
};
