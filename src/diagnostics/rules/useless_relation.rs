use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "useless-relation",
    severity: Severity::Warning,
    summary: "a relation names a package that can not be had",
    explanation: "\
A `recommends`, or one of several alternatives, names a package that is not there; or a `suggests` or `enhances` names
one that is not there and has the near name of one that is. apt does not complain about such a relation, it leaves the
package out: a misspelt name goes unnoticed on every machine.

Refused (with a warning only):
    depends = [\"nginx | lighthttpd\"]          # lighttpd

Accepted:
    depends = [\"nginx | lighttpd\"]

An alternative that only one of the fleet's releases has is not warned of.",
};
