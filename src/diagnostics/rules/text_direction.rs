use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "text-direction",
    severity: Severity::Error,
    summary: "an invisible character that changes the direction of text",
    explanation: r#"The Unicode characters that switch between left-to-right and right-to-left (U+061C, U+200E, U+200F, U+202A to
U+202E, U+2066 to U+2069) are not seen, and what stands after them is shown in another order than it is written: a
summary, a maintainer or a command can be made to read as what it is not. Nobody who reviews a change could tell.

Refused:

    # roles/web.toml
    summary = "Web \u202Ednetnorf"

Accepted:

    # roles/web.toml
    summary = "Web frontend""#,
};
