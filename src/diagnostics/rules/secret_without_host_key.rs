use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "secret-without-host-key",
    severity: Severity::Error,
    summary: "a machine that needs a secret and has no key to decrypt it",
    explanation: r#"A secret is encrypted to the Ed25519 SSH host key of each machine that needs it. Where the machine does not exist yet, make
its host key first (ssh-keygen -t ed25519), write the public half here and give the machine the private one.

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

    # secrets/db_password.age
    age-encryption.org/v1
    -> ssh-ed25519 baqJQQ c2hhcmU
    Ym9keQ
    --- bWFjbWFjbWFjbWFjbWFjbWFjbWFjbWFjbWFjbWFjbWE
    ciphertext-of-the-secret-and-its-nonce

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
