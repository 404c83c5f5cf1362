use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-check-name",
    severity: Severity::Error,
    summary: "a name that can't be a check's or a plugin's",
    explanation: r#"A check's name is a part of names in NRPE and Nagios, where `_`, `;`, `!` and others have a meaning: it is lower case
letters, digits and inner hyphens. A Munin plugin's is a file name.

Refused:

    # roles/web.toml
    [[check]]
    name = "http;reboot"
    command = "/usr/lib/nagios/plugins/check_http -H localhost"

Accepted:

    # roles/web.toml
    [[check]]
    name = "http"
    command = "/usr/lib/nagios/plugins/check_http -H localhost""#,
};
