use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "unknown-plugin",
    severity: Severity::Error,
    summary: "a plugin that nothing brings",
    explanation: r#"The program of a check and a plugin of Munin has to be on the machine: from Debian's monitoring-plugins-basic or -standard,
munin-plugins-core or -extra (their packages are added by themselves), from a package that `depends` of the table names, or
shipped by the same role. Each release of Debian has its own: what is of one alone is said in [release.NAME] of the role. An
active check goes by the release of the monitoring servers.

Refused:

    # roles/web.toml
    [[check]]
    name = "http"
    command = "/usr/lib/nagios/plugins/check_htpp -H localhost"

Accepted:

    # roles/web.toml
    [[check]]
    name = "http"
    command = "/usr/lib/nagios/plugins/check_http -H localhost""#,
};
