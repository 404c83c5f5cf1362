use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "backup-job-twice",
    severity: Severity::Error,
    summary: "two backup jobs of one machine that have one name",
    explanation: r#"A job is known on its machine, on the servers and to monitoring by one name: the role's, `_` and the job's. What a
host's own file says has `machine` in the place of the role's name, so that the job x of the host and the job x of a role
that is called machine are both machine_x.

Refused:

    # roles/machine.toml
    [[backup]]
    name = "home"
    paths = ["/home"]

    # hosts/web1.example.org.toml
    roles = ["machine"]
    release = "bookworm"
    ssh_host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"

    [[backup]]
    name = "home"
    paths = ["/srv/home"]

    # roles/backup.toml
    [backup_server]

    # hosts/backup1.example.org.toml
    roles = ["backup"]
    release = "bookworm"
    ssh_host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC"

    # debrole.toml
    [secrets]
    recipients = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMD safe"]

Accepted:

    # roles/machine.toml
    [[backup]]
    name = "home"
    paths = ["/home"]

    # hosts/web1.example.org.toml
    roles = ["machine"]
    release = "bookworm"
    ssh_host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"

    [[backup]]
    name = "own-home"
    paths = ["/srv/home"]

    # roles/backup.toml
    [backup_server]

    # hosts/backup1.example.org.toml
    roles = ["backup"]
    release = "bookworm"
    ssh_host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC"

    # debrole.toml
    [secrets]
    recipients = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMD safe"]"#,
};
