use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "backup-only-at-home",
    severity: Severity::Warning,
    summary: "a backup job of the only backup server",
    explanation: r#"A backup on the same disk is none. The job is not run until the fleet has another machine with a role that has
[backup_server].

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
    roles = ["backup", "web"]
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
