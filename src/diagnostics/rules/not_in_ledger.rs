use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "not-in-ledger",
    severity: Severity::Error,
    summary: "a number that nothing remembers",
    explanation: r#"ledger.toml keeps every number that was ever given, so that none is given twice. `debrole user add` writes it; for
files that were written by hand, `debrole ledger` does.

Refused:

    # ledger.toml
    [users]
    2001 = "alice"
    [groups]
    3001 = "everyone"

    # users/alice.toml
    uid = 2001

    # users/bob.toml
    uid = 2002

Accepted:

    # ledger.toml
    [users]
    2001 = "alice"
    2002 = "bob"
    [groups]
    3001 = "everyone"

    # users/alice.toml
    uid = 2001

    # users/bob.toml
    uid = 2002"#,
};
