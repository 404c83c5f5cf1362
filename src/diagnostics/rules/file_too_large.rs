use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "file-too-large",
    severity: Severity::Error,
    summary: "a file of the tree is too large",
    explanation: r#"A TOML file has at most 1 MiB, a shipped file at most 64 MiB, a package in packages/ at most 512 MiB. All of it
is held in memory and goes to every machine that has the role: larger data belongs into a Debian package of its
own, or on a server.

Refused: `roles/web/video.iso` of 700 MiB.

Accepted: a package `site-video` in packages/, with `depends = ["site-video"]` in roles/web.toml."#,
};
