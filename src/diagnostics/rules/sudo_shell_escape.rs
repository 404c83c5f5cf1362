use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "sudo-shell-escape",
    severity: Severity::Warning,
    summary: "a command that allows more than it says",
    explanation: r#"Pagers and editors offer a shell, interpreters run any program, tar and find run commands that their options name,
systemctl and journalctl show their output in a pager. Who may run one as root is root. `noexec = true` keeps a
command from starting others where it is linked dynamically; a script that does the one thing is better.

Refused:

    # users/alice.toml
    uid = 2001

    # groups/webteam.toml
    members = ["alice"]

    # roles/web.toml
    [access]
    login = ["webteam"]
    [[access.sudo]]
    group = "webteam"
    commands = ["/usr/bin/systemctl status nginx.service", "/usr/bin/less /var/log/nginx/error.log"]

Accepted:

    # users/alice.toml
    uid = 2001

    # groups/webteam.toml
    members = ["alice"]

    # roles/web.toml
    [access]
    login = ["webteam"]
    [[access.sudo]]
    group = "webteam"
    commands = ["/usr/bin/systemctl --no-pager status nginx.service", "/usr/bin/tail /var/log/nginx/error.log"]"#,
};
