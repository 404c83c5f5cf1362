use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-ledger",
    severity: Severity::Error,
    summary: "a line of ledger.toml that makes no sense",
    explanation: r#"The ledger says which number was whose: NUMBER = "NAME". debrole writes it; a line that was changed by hand or by a
merge may be missed later.

Refused:

    # ledger.toml
    [users]
    2001 = "alice"
    2002 = "alice"
    [groups]
    3001 = "everyone"

    # users/alice.toml
    uid = 2001

Accepted:

    # ledger.toml
    [users]
    2001 = ["asmith", "alice"]
    [groups]
    3001 = "everyone"

    # users/alice.toml
    uid = 2001"#,
};
