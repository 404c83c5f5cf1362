use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "cannot-serve",
    severity: Severity::Error,
    summary: "the repository can't be served",
    explanation: "\
The directory to serve is not there, or the address can't be listened on: another program has the port, the address is
not one of this machine's, or ports below 1024 are root's.

Refused:   `debrole serve --listen 127.0.0.1:80` as an ordinary user, or beside another web server.
Accepted:  `debrole serve --listen 127.0.0.1:8080`, or another free port.",
};
