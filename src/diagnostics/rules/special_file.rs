use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "special-file",
    severity: Severity::Error,
    summary: "a pipe, socket or device in the tree",
    explanation: r#"Only files and folders can be shipped. A named pipe in the tree would moreover stop the build: reading it waits
for somebody to write.

Refused: `mkfifo roles/web/pipe`.

Accepted: a `setup` fragment, a tmpfiles.d(5) file or a .socket unit that makes it on the machine."#,
};
