use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "check-characters",
    severity: Severity::Error,
    summary: "a character that would end the command or begin another",
    explanation: r#"Nagios and NRPE take `;`, `$`, `!` and backslashes for something of their own, and both hand commands to a shell, with `$`,
backticks and `|`. So that a command is what it says, it is a program and arguments, each in quotes where it has blanks or
other characters in it, without any of these. What needs more is a script that the role ships.

Refused:

    # roles/web.toml
    [[check]]
    name = "http"
    command = "/usr/lib/nagios/plugins/check_http -H localhost; rm -rf /tmp/x"

Accepted:

    # roles/web.toml
    [[check]]
    name = "http"
    command = "/usr/lib/nagios/plugins/check_http -H localhost -s 'It works'""#,
};
