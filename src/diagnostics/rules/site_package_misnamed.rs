use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "site-package-misnamed",
    severity: Severity::Error,
    summary: "a file in packages/ is named like another package than it holds",
    explanation: "\
The file has a name as dpkg-name(1) gives it, NAME_VERSION_ARCHITECTURE.deb, but the package in it has another name or
architecture. Most often the wrong file was copied.

Refused:   nginx_1.22.1_amd64.deb that holds the package tools
Accepted:  tools_1.0_amd64.deb that holds it; a free name such as tools.deb",
};
