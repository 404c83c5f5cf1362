use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "host-value-missing",
    severity: Severity::Error,
    summary: "a host has a role whose template needs a value that the host does not set",
    explanation: "\
The template names a value of the machine that has no default, and this machine, which has the role, does not set it.

Refused:

    # roles/db.toml
    [[file]]
    path = \"/etc/db.conf\"
    template = true
    content = \"buffers = {{ host.buffers }}\"

    # hosts/db1.example.org.toml
    roles = [\"db\"]
    release = \"bookworm\"

    # hosts/db2.example.org.toml
    roles = [\"db\"]
    release = \"bookworm\"
    [values]
    buffers = \"2GB\"

Accepted:

    # roles/db.toml
    [values]
    buffers = \"1GB\"
    [[file]]
    path = \"/etc/db.conf\"
    template = true
    content = \"buffers = {{ host.buffers }}\"

    # hosts/db1.example.org.toml
    roles = [\"db\"]
    release = \"bookworm\"

    # hosts/db2.example.org.toml
    roles = [\"db\"]
    release = \"bookworm\"
    [values]
    buffers = \"2GB\"

A default for all machines is under [values] of the role or [host_values] in debrole.toml; or each host sets its own.",
};
