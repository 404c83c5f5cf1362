use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "no-debrole-toml",
    severity: Severity::Error,
    summary: "there is no debrole.toml",
    explanation: r#"A fleet tree has a file debrole.toml at its root. `debrole` looks for the nearest one from the current directory
upwards; `-C` names another tree.

Refused: `debrole check` in a directory that is in no fleet tree.

Accepted: the same after `debrole init`, which makes a tree with a first role."#,
};
