use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "version-not-in-release",
    severity: Severity::Error,
    summary: "a relation needs a version that a release does not have",
    explanation: "\
A `depends` or `pre_depends` asks for a version that a Debian release of the fleet does not have in its main, updates
or security suite. apt would refuse to install the role there. A virtual package satisfies a relation with a version
only if it is provided with one (Debian Policy 7.5).

Refused (bookworm has nginx 1.22.1):
    depends = [\"nginx (>= 1.26)\"]

Accepted:
    depends = [\"nginx (>= 1.22)\"]
    [release.trixie]
    depends = [\"nginx (>= 1.26)\"]",
};
