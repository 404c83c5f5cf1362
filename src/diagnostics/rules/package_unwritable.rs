use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "package-unwritable",
    severity: Severity::Error,
    summary: "a package can not be written so that dpkg reads it back",
    explanation: "\
A control field is one line of text (Debian Policy 5.1), and a path in a package is either a file or a directory. What the
tree asks for would break that: a line break in a summary or maintainer would begin another control field, a file where
another entry needs a directory can not be unpacked.

Refused:   summary = \"Web server\\nEssential: yes\"
Accepted:  summary = \"Web server\", the rest in description",
};
