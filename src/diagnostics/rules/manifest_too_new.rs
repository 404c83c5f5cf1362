use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "manifest-too-new",
    severity: Severity::Error,
    summary: "the repository was written by a newer debrole",
    explanation: "\
The manifest has a format that this debrole does not know. To write an older one could lose what the newer one needs.

Refused:   a manifest with \"format\": 2 read by a debrole that knows format 1.
Accepted:  the same with a debrole that is at least as new as the one that published.",
};
