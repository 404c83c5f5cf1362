use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "not-utf8",
    severity: Severity::Error,
    summary: "a TOML file is not UTF-8",
    explanation: r#"TOML is UTF-8. A file in another encoding comes from an old editor or system; `iconv` converts it.

Refused: roles/web.toml with `summary = "Caf\xe9"` in ISO-8859-1.

Accepted: the same after `iconv -f ISO-8859-1 -t UTF-8`."#,
};
