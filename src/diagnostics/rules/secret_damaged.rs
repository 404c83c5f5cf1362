use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "secret-damaged",
    severity: Severity::Error,
    summary: "a file in secrets/ that age did not write",
    explanation: r#"secrets/NAME.age is what age(1) writes without --armor. `debrole secret set` makes it.

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
    hunter2 hunter2

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
