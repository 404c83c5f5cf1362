use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "site-package-name-taken",
    severity: Severity::Error,
    summary: "a package in packages/ has a name that belongs to debrole",
    explanation: "\
Names such as pg-role-web, pg-host-web1.example.org, pg-runtime and pg-archive-keyring belong to the packages that are
made from the tree. A package of the site under such a name would be installed instead of the generated one, or the
other way round, whichever has the higher version.

Refused:   packages/pg-role-web_1.0_all.deb
Accepted:  packages/pg-webtools_1.0_all.deb",
};
