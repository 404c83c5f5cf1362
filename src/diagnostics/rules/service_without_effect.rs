use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "service-without-effect",
    severity: Severity::Error,
    summary: "a [[service]] that changes nothing",
    explanation: r#"A [[service]] says what state a unit is to have (`enable`, `mask`), or changes the unit by a drop-in. This one
does neither.

Refused:

    # roles/web.toml
    [[service]]
    unit = "nginx.service"

Accepted:

    # roles/web.toml
    [[service]]
    unit = "nginx.service"
    enable = true"#,
};
