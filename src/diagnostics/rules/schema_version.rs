use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "schema-version",
    severity: Severity::Error,
    summary: "the tree is written for another schema",
    explanation: r#"`schema` in debrole.toml says which meaning the keys of the tree have. This debrole knows one: 1.

Refused:

    # debrole.toml
    schema = 2

Accepted:

    # debrole.toml
    schema = 1"#,
};
