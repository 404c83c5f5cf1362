use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "secret-in-plain-text",
    severity: Severity::Error,
    summary: "a secret in a text that everybody can read",
    explanation: r#"What is in a package can be read by every user of the machine and by everybody who reaches the repository. A secret is
used only in a [[secret]] and in a file with secret = true: those are put together on the machine, in memory, for one user.

Refused:

    # debrole.toml
    [secrets]
    recipients = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC safe"]

    # roles/app.toml
    [[file]]
    path = "/etc/app.conf"
    content = "password = {{ secret.db_password }}\n"
    template = true

Accepted:

    # debrole.toml
    [secrets]
    recipients = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC safe"]

    # roles/app.toml
    [[file]]
    path = "/etc/app.conf"
    content = "password = {{ secret.db_password }}\n"
    secret = true
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
