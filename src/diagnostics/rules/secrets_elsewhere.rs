use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "secrets-elsewhere",
    severity: Severity::Warning,
    summary: "a tree without its secrets",
    explanation: r#"secrets/ is kept apart from a tree that is published. Without it the tree can be checked, but no package can be built that
holds a secret: `debrole build` refuses.

Refused:

    # debrole.toml
    [secrets]
    recipients = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC safe"]

    # roles/app.toml
    [[secret]]
    name = "db_password"
    owner = "www-data"

    # hosts/web1.example.org.toml
    roles = ["app"]
    release = "bookworm"
    ssh_host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"

Accepted:

    # debrole.toml
    [secrets]
    recipients = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC safe"]

    # roles/app.toml
    [[secret]]
    name = "db_password"
    owner = "www-data"

    # hosts/web1.example.org.toml
    roles = ["app"]
    release = "bookworm"
    ssh_host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"

    # secrets/db_password.age
    age-encryption.org/v1
    -> ssh-ed25519 baqJQQ c2hhcmU
    Ym9keQ
    -> ssh-ed25519 RXm/rg c2hhcmU
    Ym9keQ
    --- bWFjbWFjbWFjbWFjbWFjbWFjbWFjbWFjbWFjbWFjbWE
    ciphertext-of-the-secret-and-its-nonce"#,
};
