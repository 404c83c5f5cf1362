use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "host-key-changed",
    severity: Severity::Error,
    summary: "a machine has another host key than the published one",
    explanation: r#"All machines of the fleet know this one by the key that is published. Another key means a new installation, or
somebody in between; the tree has to say which. List the old key as retired when the change is meant: ssh then refuses
whoever still answers with it.

Refused, where another key is published for the machine:

    # hosts/web1.example.org.toml
    ssh_host_key = "ssh-ed25519 AAAA…new"

Accepted:

    # hosts/web1.example.org.toml
    ssh_host_key = "ssh-ed25519 AAAA…new"
    retired_ssh_host_key = "ssh-ed25519 AAAA…old""#,
};
