use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "id-given-before",
    severity: Severity::Error,
    summary: "a number that was somebody else's",
    explanation: r#"A number is never given twice: on some machine, some backup or some file server there are files of who had it first,
and they would be the new person's.

Refused:

    # ledger.toml
    [users]
    2001 = "mallory"
    [groups]
    3001 = "everyone"

    # users/alice.toml
    uid = 2001

Accepted:

    # ledger.toml
    [users]
    2001 = "mallory"
    2002 = "alice"
    [groups]
    3001 = "everyone"

    # users/alice.toml
    uid = 2002"#,
};
