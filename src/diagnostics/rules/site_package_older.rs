use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "site-package-older",
    severity: Severity::Error,
    summary: "a package in packages/ is older than what was published under its name",
    explanation: "\
apt upgrades, it doesn't downgrade: machines that have the higher version would keep it, and new ones would get the
lower, without a word from anybody.

Refused:   packages/tools_1.0_all.deb alone, after tools 2.0 was published
Accepted:  the old sources under a higher version, such as 2.0+really1.0 (as Debian does it); or 1.0 and 2.0 side by side",
};
