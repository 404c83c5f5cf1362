use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "backup-without-recovery",
    severity: Severity::Error,
    summary: "backups that nobody could read once server and machine are gone",
    explanation: r#"The machine makes the password of its repository by itself. It reaches the server encrypted to the server's host key and
to the administrators, so that people can restore from the bare disk of a server. Who they are is in [secrets] of
debrole.toml.

Refused:

    # roles/web.toml
    [[backup]]
    name = "www"
    paths = ["/srv/www"]

    # roles/backup.toml
    [backup_server]

    # hosts/web1.example.org.toml
    roles = ["web"]
    release = "bookworm"
    ssh_host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"

    # hosts/backup1.example.org.toml
    roles = ["backup"]
    release = "bookworm"
    ssh_host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC"

Accepted:

    # debrole.toml
    [secrets]
    recipients = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMD safe"]

    # roles/web.toml
    [[backup]]
    name = "www"
    paths = ["/srv/www"]

    # roles/backup.toml
    [backup_server]

    # hosts/web1.example.org.toml
    roles = ["web"]
    release = "bookworm"
    ssh_host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"

    # hosts/backup1.example.org.toml
    roles = ["backup"]
    release = "bookworm"
    ssh_host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC""#,
};
