use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "special-mode",
    severity: Severity::Error,
    summary: "a setuid, setgid or world-writable mode without special = true",
    explanation: r#"These modes hand out power: whoever runs a setuid file acts as its owner, whoever likes writes to a
world-writable one. They are accepted when `special = true` says that it is meant. (Directories that are
world-writable with the sticky bit, as /tmp is, are accepted as they are.)

Refused:

    # roles/web.toml
    [[file]]
    path = "/usr/local/bin/deploy"
    source = "deploy"
    mode = "4755"
    # roles/web/deploy
    #!/bin/sh

Accepted:

    # roles/web.toml
    [[file]]
    path = "/usr/local/bin/deploy"
    source = "deploy"
    mode = "4755"
    special = true
    # roles/web/deploy
    #!/bin/sh"#,
};
