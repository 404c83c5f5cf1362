use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "invalid-summary",
    severity: Severity::Error,
    summary: "a summary that is not a package's synopsis",
    explanation: r#"The summary is the package's synopsis, the line that `apt search` shows: a phrase, not a sentence, so without a
final full stop, and at most 80 characters (Debian Policy 3.4.1).

Refused:

    # roles/web.toml
    summary = "This role is the public web front end."

Accepted:

    # roles/web.toml
    summary = "Public web front end""#,
};
