use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "id-changed",
    severity: Severity::Error,
    summary: "somebody got another number",
    explanation: r#"On machines the person's files belong to the number that the ledger has. Another one would leave them behind. Somebody
else with the same name needs another name.

Refused:

    # ledger.toml
    [users]
    2001 = "alice"
    [groups]
    3001 = "everyone"

    # users/alice.toml
    uid = 2005

Accepted:

    # ledger.toml
    [users]
    2001 = "alice"
    [groups]
    3001 = "everyone"

    # users/alice.toml
    uid = 2001"#,
};
