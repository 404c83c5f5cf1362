use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-keyring-path",
    severity: Severity::Error,
    summary: "not the path of a keyring that apt can use",
    explanation: r#"`signed_by` of a release is the absolute path of a keyring file on the machine where debrole runs. apt reads several
paths out of one line, and goes by how a name ends: .gpg and .pgp are binary, .asc is armored (sources.list(5)). The path
has letters, digits, ".", "_", "+" and "-" only.

Refused:

    # debrole.toml
    [release.bookworm]
    mirror = "http://mirror.example.org/debian"
    signed_by = "mirror.gpg"

Accepted:

    # debrole.toml
    [release.bookworm]
    mirror = "http://mirror.example.org/debian"
    signed_by = "/etc/apt/keyrings/mirror.gpg""#,
};
