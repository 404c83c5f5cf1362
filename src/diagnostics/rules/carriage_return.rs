use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "carriage-return",
    severity: Severity::Error,
    summary: "a script or unit whose lines end in CR LF",
    explanation: r#"A file that was saved with the line ends of Windows has a carriage return at the end of every line. To sh and
systemd it belongs to the line: "set -e" with one is an unknown option. Files that are shipped as they are
([[file]]) may hold any bytes.

Refused:

    # roles/web.toml
    setup = "true\r\n"

Accepted:

    # roles/web.toml
    setup = "true\n""#,
};
