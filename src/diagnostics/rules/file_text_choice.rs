use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "file-text-choice",
    severity: Severity::Error,
    summary: "a file or unit without exactly one source of its text",
    explanation: r#"A [[file]] has exactly one of `content` (the text itself), `source` (a file in the role's folder) and
`directory` (a folder there, all of it); a [[unit]] exactly one of `content` and `source`.

Refused:

    # roles/web.toml
    [[file]]
    path = "/etc/motd"

Accepted:

    # roles/web.toml
    [[file]]
    path = "/etc/motd"
    content = "Managed: see /usr/share/doc\n""#,
};
