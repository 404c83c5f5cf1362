use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "parent-cycle",
    severity: Severity::Error,
    summary: "machines that are behind each other",
    explanation: r#"A machine's parents are those without which it can't be reached. None can be behind itself, however many are between.

Refused:

    # roles/base.toml
    depends = ["sudo"]

    # hosts/a.example.org.toml
    roles = ["base"]
    release = "bookworm"
    [monitoring]
    parents = ["b.example.org"]

    # hosts/b.example.org.toml
    roles = ["base"]
    release = "bookworm"
    [monitoring]
    parents = ["a.example.org"]

Accepted:

    # roles/base.toml
    depends = ["sudo"]

    # hosts/a.example.org.toml
    roles = ["base"]
    release = "bookworm"
    [monitoring]
    parents = ["b.example.org"]

    # hosts/b.example.org.toml
    roles = ["base"]
    release = "bookworm""#,
};
