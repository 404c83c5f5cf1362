use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "address-used-twice",
    severity: Severity::Error,
    summary: "two hosts have the same address",
    explanation: r#"Two machines on one network can't have the same address: one of them would not be reached, and `host.ipv4` and
`host.ipv6` in templates of other machines would name the wrong one. It is mostly a line that was copied with
the file.

Refused:

    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.10"]
    # hosts/web2.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.10"]

Accepted:

    # hosts/web1.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.10"]
    # hosts/web2.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.11"]"#,
};
