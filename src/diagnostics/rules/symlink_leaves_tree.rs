use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "symlink-leaves-tree",
    severity: Severity::Error,
    summary: "a symbolic link that leads out of the tree",
    explanation: r#"What a package holds comes from roles/, hosts/ and packages/ of the tree. A link to anywhere else would make
another package on another machine, and might publish what is not meant for it, such as a private key.

Refused:

    # roles/web.toml
    # roles/web/hostname -> /etc/hostname

Accepted:

    # roles/web.toml
    [[file]]
    path = "/etc/issue"
    source = "issue"
    # roles/web/issue -> ../base/issue
    # roles/base.toml
    [[file]]
    path = "/etc/motd"
    source = "issue"
    # roles/base/issue
    Hello"#,
};
