use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "control-character",
    severity: Severity::Error,
    summary: "a control character in something that becomes a line of a file",
    explanation: r#"A newline in a value that becomes one line of a control file, a unit, a crontab or a manifest would begin
another line: another field, another job, run as root. Values of one line hold no control characters at all.

Refused:

    # roles/web.toml
    summary = "Web front end\nPre-Depends: backdoor"

Accepted:

    # roles/web.toml
    summary = "Web front end""#,
};
