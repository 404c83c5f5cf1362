use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-component",
    severity: Severity::Error,
    summary: "not a component of an archive",
    explanation: r#"The components of Debian's archive are main, contrib, non-free and non-free-firmware (Debian Policy 2.2); other
archives have names of letters, digits, "-", "_", "." and "/". At least one is needed.

Refused:

    # debrole.toml
    [release.bookworm]
    components = ["main contrib"]

Accepted:

    # debrole.toml
    [release.bookworm]
    components = ["main", "contrib"]"#,
};
