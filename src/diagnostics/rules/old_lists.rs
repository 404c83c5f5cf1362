use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "old-lists",
    severity: Severity::Warning,
    summary: "the archive check used package lists that are older than a day",
    explanation: "\
The package lists that the archive check uses are fetched again when they are older than a day. That failed, so the
older ones were used: what has entered or left Debian since then is not seen. The note says why it failed. Where the
mirror can be reached again, the next check fetches them.

Refused:   nothing; warned of are lists that are three days old.
Accepted:  lists that were fetched within a day.",
};
