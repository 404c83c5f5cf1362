use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-storage-pool",
    severity: Severity::Error,
    summary: "not the name of a storage pool",
    explanation: r#"A storage pool of libvirt is where the hypervisor keeps disks. Its name is an argument of virsh(1): letters, digits, `_`, `.`
and `-`.

Refused:

    # hosts/kvm1.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.70"]
    [hypervisor]
    pool = "/srv/images"

Accepted:

    # hosts/kvm1.example.org.toml
    roles = []
    release = "bookworm"
    addresses = ["192.0.2.70"]
    [hypervisor]
    pool = "images""#,
};
