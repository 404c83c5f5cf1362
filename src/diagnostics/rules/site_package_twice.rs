use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "site-package-twice",
    severity: Severity::Error,
    summary: "two files in packages/ are the same package",
    explanation: "\
Two files hold the same name, version and architecture, or two versions that would have one file name in the pool
(there \"+\" and \":\" are written as \".\"). Only one of them could be published.

Refused:   tools_1.0_all.deb and a copy of it, tools-new.deb
Accepted:  tools_1.0_all.deb and tools_1.1_all.deb: machines take the higher version",
};
