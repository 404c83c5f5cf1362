use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "site-package-architecture",
    severity: Severity::Error,
    summary: "a package in packages/ is for an architecture that the fleet does not have",
    explanation: "\
The repository has an index for each of the architectures in debrole.toml. A package for another one would be in no
index, so no machine could install it.

Refused:   tools_1.0_arm64.deb with `architectures = [\"amd64\"]`
Accepted:  tools_1.0_all.deb, tools_1.0_amd64.deb, or \"arm64\" among the architectures",
};
