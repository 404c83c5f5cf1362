use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "no-backup-server",
    severity: Severity::Error,
    summary: "backups with nowhere to go",
    explanation: r#"A machine has a backup job, and no machine of the fleet has a role with [backup_server].

Refused:

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
    roles = []
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
