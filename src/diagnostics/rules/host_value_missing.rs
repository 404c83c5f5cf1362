use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "host-value-missing",
    severity: Severity::Error,
    summary: "a host has a role whose template needs a value that the host does not set",
    explanation: "\
The template names a value of the machine that has no default, and this machine, which has the role, does not set it.

Refused:
    # roles/db.toml ships a template with {{ host.shared_buffers }};
    # hosts/db1.example.org.toml has the role and no such value

Accepted:
    # hosts/db1.example.org.toml
    [values]
    shared_buffers = \"2GB\"

Or a default for all machines, under [values] in the role's file or [host_values] in debrole.toml.",
};
