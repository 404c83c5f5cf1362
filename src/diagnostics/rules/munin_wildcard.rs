use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "munin-wildcard",
    severity: Severity::Error,
    summary: "a plugin that takes its argument from its name",
    explanation: r#"A plugin of Munin whose name ends in "_" reads what it is to look at from the name by which it is called: if_ as if_eth0 looks
at the interface eth0.

Refused:

    # roles/web.toml
    [[munin]]
    plugin = "if_"

Accepted:

    # roles/web.toml
    [[munin]]
    plugin = "if_"
    name   = "if_eth0""#,
};
