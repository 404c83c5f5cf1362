use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "drop-in-without-section",
    severity: Severity::Error,
    summary: "a systemd drop-in with settings in no section",
    explanation: r#"systemd reads settings by section; what stands before the first "[Section]" is ignored with a warning in the
journal, and the drop-in has no effect (systemd.syntax(7)).

Refused:

    # roles/web.toml
    [[service]]
    unit = "nginx.service"
    drop_in = """
    LimitNOFILE=65536
    """

Accepted:

    # roles/web.toml
    [[service]]
    unit = "nginx.service"
    drop_in = """
    [Service]
    LimitNOFILE=65536
    """"#,
};
