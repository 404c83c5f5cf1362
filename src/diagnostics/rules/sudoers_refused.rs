use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "sudoers-refused",
    severity: Severity::Error,
    summary: "visudo refuses the rules",
    explanation: r#"All rules of sudo of the fleet were put together as a machine has them, and visudo(8) refuses them. With one error in
/etc/sudoers.d nobody can use sudo.

Refused: what `visudo -c` says no to.

Accepted: what `visudo -c` passes."#,
};
