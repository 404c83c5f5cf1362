use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "file-name-not-utf8",
    severity: Severity::Error,
    summary: "a file name in the tree is not UTF-8",
    explanation: r#"Names of packages and of the files in them are UTF-8 (Debian Policy 10.10). A name in another encoding comes
from an old file system or archive.

Refused: a file whose name is the bytes `caf\xe9.conf` (ISO-8859-1).

Accepted: the same file, named `café.conf` in UTF-8 (`convmv -f latin1 -t utf8 --notest FILE`), or better
`cafe.conf`."#,
};
