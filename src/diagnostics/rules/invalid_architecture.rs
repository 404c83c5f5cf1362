use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-architecture",
    severity: Severity::Error,
    summary: "not an architecture of Debian",
    explanation: r#"The repository is indexed for the architectures of the fleet's machines, by Debian's names for them (Debian
Policy 11.1). "all" is not one: the generated packages are for all of them anyway.

Refused:

    # debrole.toml
    [fleet]
    architectures = ["x86_64"]

Accepted:

    # debrole.toml
    [fleet]
    architectures = ["amd64"]"#,
};
