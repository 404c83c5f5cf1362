use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "duplicate-entry",
    severity: Severity::Warning,
    summary: "a list has the same entry twice",
    explanation: r#"It has no effect, and may be a slip for another name.

Refused:

    # roles/base.toml
    # roles/web.toml
    includes = ["base", "base"]

Accepted:

    # roles/base.toml
    # roles/web.toml
    includes = ["base"]"#,
};
