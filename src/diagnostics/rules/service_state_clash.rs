use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "service-state-clash",
    severity: Severity::Error,
    summary: "two roles that can meet want a unit in different states",
    explanation: "\
On a machine with both roles one of them would silently lose. A host may say otherwise than its roles: the host wins.

Refused:

    # roles/web.toml
    [[service]]
    unit = \"nginx.service\"
    enable = true

    # roles/quiet.toml
    [[service]]
    unit = \"nginx.service\"
    enable = false

Accepted:

    # roles/web.toml
    [[service]]
    unit = \"nginx.service\"
    enable = true

    # roles/quiet.toml
    conflicts = [\"pg-role-web\"]
    [[service]]
    unit = \"nginx.service\"
    enable = false",
};
