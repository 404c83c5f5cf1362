use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "check-kind-keys",
    severity: Severity::Error,
    summary: "a key that a check of its kind can't have, or has to have",
    explanation: r#"A check of the kinds nrpe and active has a command. A passive one has none: the machine tells by itself, and `freshness` says
after which time it is missed.

Refused:

    # roles/web.toml
    [[check]]
    name = "backup"
    kind = "passive"
    command = "/usr/lib/nagios/plugins/check_http -H localhost"
    freshness = "26h"

Accepted:

    # roles/web.toml
    [[check]]
    name = "backup"
    kind = "passive"
    freshness = "26h""#,
};
