use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "secret-recipients",
    severity: Severity::Warning,
    summary: "a secret that is encrypted to others than those who need it",
    explanation: r#"Somebody who no longer needs a secret can still decrypt its file, or an administrator can't. `debrole secret rekey` encrypts
it to those who need it now. It takes back nothing: who could decrypt it may know it, and the old file is in old packages
and in the history of secrets/. Where that matters, set another secret.

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

    # secrets/db_password.age
    age-encryption.org/v1
    -> ssh-ed25519 baqJQQ c2hhcmU
    Ym9keQ
    -> ssh-ed25519 RXm/rg c2hhcmU
    Ym9keQ
    -> ssh-ed25519 gnDfUA c2hhcmU
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
