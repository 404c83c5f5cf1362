use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "site-package-changed",
    severity: Severity::Error,
    summary: "a package in packages/ has other content than was published under its version",
    explanation: "\
One name, version and architecture has one content for ever. Machines compare versions, not content: those that have the
package would never get the new one, and those that are fetching it fail with \"Hash Sum mismatch\".

Refused:   tools_1.0_all.deb, built again from other sources under the version that is published
Accepted:  the same sources as tools_1.1_all.deb",
};
