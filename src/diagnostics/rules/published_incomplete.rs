use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "published-incomplete",
    severity: Severity::Error,
    summary: "what is published is not whole",
    explanation: "\
A file that the published manifest names can't be had from the public URI, or it has another size or hash there.

Refused:   a server on which pool/ was not copied along.
Accepted:  a server that has all of repo-out/: dists (a symlink or a copy), pool and the keyring packages.",
};
