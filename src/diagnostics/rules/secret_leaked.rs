use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "secret-leaked",
    severity: Severity::Error,
    summary: "a secret that can be read where it must not be",
    explanation: r#"The plaintext of a secret was found in the tree, in a package or index, or in a cache. It is looked for when a secret is
set or encrypted anew, and by each build where a key is present that decrypts it: as it is, line by line, and in base64; in
compressed files and archives, too. A secret of fewer than 8 bytes is not looked for.

Refused: a file of the tree, of repo-out/ or of debrole's cache that holds the secret.

Accepted: secret.NAME, where the secret is meant."#,
};
