use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "template-not-text",
    severity: Severity::Error,
    summary: "a template or unit that is not text",
    explanation: r#"Templates and units are UTF-8 text. Other files are shipped as they are, any bytes.

Refused: a [[file]] with `template = true` and a `source` that is an image.

Accepted: the same without `template = true`."#,
};
