use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "not-in-release",
    severity: Severity::Error,
    summary: "a relation needs a package that one of its releases does not have",
    explanation: "\
A package that a role needs is in one Debian release of the fleet and not in another that the role is made for: it
was renamed, or came or went between the two.

Refused (on a fleet with bookworm and trixie):
    depends = [\"postgresql-15\"]

Accepted:
    [release.bookworm]
    depends = [\"postgresql-15\"]
    [release.trixie]
    depends = [\"postgresql-17\"]

or an alternative, `depends = [\"postgresql-17 | postgresql-15\"]`, or `releases = [\"bookworm\"]` for the whole role.",
};
