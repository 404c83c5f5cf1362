use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "path-not-normal",
    severity: Severity::Error,
    summary: "a path with \"..\", \".\" or doubled slashes",
    explanation: r#"There is one way to write a path, so that two tables about the same one are seen to be. ".." in a path is
moreover how files end up where nobody looks for them.

Refused:

    # roles/web.toml
    [[file]]
    path = "/etc/nginx/../motd"
    content = "Hello\n"

Accepted:

    # roles/web.toml
    [[file]]
    path = "/etc/motd"
    content = "Hello\n""#,
};
