use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-mode",
    severity: Severity::Error,
    summary: "not an octal file mode",
    explanation: r#"A mode is three or four octal digits in quotes, as for chmod(1). (A number without quotes would be decimal, and
TOML has no numbers that begin with 0.)

Refused:

    # roles/web.toml
    [[file]]
    path = "/etc/motd"
    content = "Hello\n"
    mode = "u=rw,go=r"

Accepted:

    # roles/web.toml
    [[file]]
    path = "/etc/motd"
    content = "Hello\n"
    mode = "0644""#,
};
