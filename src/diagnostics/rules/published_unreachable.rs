use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "published-unreachable",
    severity: Severity::Error,
    summary: "what is published can't be seen",
    explanation: "\
The output directory is empty and debrole.toml says where the repository is published. A build that did not know what
is published there would give out old version numbers again, and machines would ignore its packages. So the manifest
is fetched from there first; the server did not answer.

Refused:   a build into an empty directory while the server is down.
Accepted:  the same with the server up; with a copy of repo-out/; or with --first-publish, when nothing has been
published yet.",
};
