use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "version-republished",
    severity: Severity::Error,
    summary: "a published version would get other contents",
    explanation: "\
A name, a version and an architecture have one content for ever: machines and proxies keep what they have and report
\"Hash Sum mismatch\" when it differs. debrole gives changed content a new version by itself; this is about packages of
the site's own.

Refused:   packages/tool_1.0_all.deb rebuilt in place with other contents, after it was published.
Accepted:  the new contents as packages/tool_1.1_all.deb.",
};
