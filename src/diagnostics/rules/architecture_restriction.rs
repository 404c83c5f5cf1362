use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "architecture-restriction",
    severity: Severity::Error,
    summary: "an architecture restriction in a relation of a binary package",
    explanation: r#""[amd64]" is for the relations of source packages, from which dpkg-gencontrol chooses when it builds. In a
binary package's control file, dpkg takes it for a syntax error (Debian Policy 7.1).

Refused:

    # roles/hypervisor.toml
    depends = ["qemu-system-x86 [amd64]"]

Accepted:

    # roles/hypervisor.toml
    depends = ["qemu-system-x86"]"#,
};
