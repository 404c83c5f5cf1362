use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "adopt-without-files",
    severity: Severity::Error,
    summary: "an account with another number is taken over, but not its files",
    explanation: r#"Files belong to numbers, not to names. Where the account had another number than the person gets, its files would
be nobody's, and later somebody else's. `files` says which ones are given to the new number.

Refused:

    # users/alice.toml
    [[adopt]]
    uid = 1000

Accepted:

    # users/alice.toml
    [[adopt]]
    uid = 1000
    files = "all""#,
};
