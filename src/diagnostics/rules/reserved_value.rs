use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "reserved-value",
    severity: Severity::Error,
    summary: "a value takes a name that debrole itself sets",
    explanation: "\
debrole gives templates some values of its own: fleet.prefix, fleet.origin, host.fqdn, host.addresses and others. A
value of the same name in the tree would silently lose, so it is refused.

Refused:
    [values]
    fqdn = \"www.example.org\"

Accepted:
    [values]
    public_name = \"www.example.org\"",
};
