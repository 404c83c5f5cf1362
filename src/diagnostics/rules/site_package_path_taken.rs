use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "site-package-path-taken",
    severity: Severity::Error,
    summary: "a package in packages/ ships a file that a generated package ships",
    explanation: "\
A package of the site and one that is made from the tree put a file at the same path. dpkg refuses to unpack the
second: \"trying to overwrite ..., which is also in package ...\". /lib counts as /usr/lib.

Refused:   packages/tools_1.0_all.deb with /lib/systemd/system/report.timer beside a role with [[unit]] name = \"report.timer\"
Accepted:  another unit name in one of them",
};
