use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "site-package-broken",
    severity: Severity::Error,
    summary: "a file in packages/ is not a package that can be published",
    explanation: "\
What lies in packages/ is published as it is, so it has to be a whole Debian package (deb(5)): an ar archive of
debian-binary, control.tar and data.tar, with a control file that has Package, Version, Architecture, Maintainer and
Description. Its control text goes into the index word for word, so a control file that could be read in two ways
(an empty line, a field twice, a field of the index such as Filename) is refused too.

Refused:   an interrupted download; an archive with a path that leads out of it (../etc/passwd)
Accepted:  what dpkg-deb --build made, or a .deb as its publisher offers it",
};
