use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "signing-failed",
    severity: Severity::Error,
    summary: "GnuPG could not do its part",
    explanation: "\
gpg refused or failed; the message has its own words. Nothing was committed.

Refused:   a key with a passphrase that no agent knows, a home that can't be written to, gpg not installed.
Accepted:  a signing subkey without a passphrase, or a gpg-agent that has been given it.",
};
