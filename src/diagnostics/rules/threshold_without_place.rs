use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "threshold-without-place",
    severity: Severity::Error,
    summary: "a threshold and the command do not go together",
    explanation: r#"`warning` and `critical` reach the plugin where the command has `{warning}` and `{critical}`. One without the other is a
mistake: the threshold would have no effect, or the plugin get none.

Refused:

    # roles/web.toml
    [[check]]
    name = "http"
    command = "/usr/lib/nagios/plugins/check_http -H localhost -w 2"
    warning = 5

Accepted:

    # roles/web.toml
    [[check]]
    name = "http"
    command = "/usr/lib/nagios/plugins/check_http -H localhost -w {warning}"
    warning = 5"#,
};
