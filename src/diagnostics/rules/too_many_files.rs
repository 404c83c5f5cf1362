use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "too-many-files",
    severity: Severity::Error,
    summary: "a role or host ships too many files",
    explanation: r#"A role or host ships at most 20,000 files: each is looked after one by one on every machine. That many files are
better a Debian package of their own.

Refused: a checkout of a large program in roles/web/.

Accepted: a package of it in packages/, with `depends = ["site-program"]` in roles/web.toml."#,
};
