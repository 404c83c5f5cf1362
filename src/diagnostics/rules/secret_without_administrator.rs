use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "secret-without-administrator",
    severity: Severity::Error,
    summary: "secrets that no person could decrypt",
    explanation: r#"Without an administrator among those who can decrypt it, a secret could neither be read again nor encrypted to a new
machine. `[secrets]` of debrole.toml names groups, whose members' Ed25519 and RSA keys count, or keys.

Refused:

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
    -> ssh-ed25519 RXm/rg c2hhcmU
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
