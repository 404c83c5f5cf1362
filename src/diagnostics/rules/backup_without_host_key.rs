use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "backup-without-host-key",
    severity: Severity::Error,
    summary: "a machine of a backup without a host key",
    explanation: r#"A machine that is backed up is known to the server by its SSH host key, and the server to the machine; the key of each
repository is encrypted to the server's. It is an Ed25519 key, as Debian's openssh-server makes one.

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
