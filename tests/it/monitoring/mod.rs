//! Monitoring: from [[check]], [[munin]] and [monitoring] to what machines and servers get, and what is refused.

mod nagios;
mod packages;
mod refused;

use crate::access::{key, user};

/// Two machines of a web site behind a hypervisor, one database, one monitoring server; alice hears of all, bob of the
/// web site.
pub fn fleet() -> Vec<(&'static str, String)> {
    let host = |number: u8, roles: &str, rest: &str| {
        format!(
            "roles = [{roles}]\nrelease = \"{}\"\naddresses = [\"192.0.2.{number}\"]\nssh_host_key = \"{}\"\n{rest}",
            if number.is_multiple_of(2) { "bookworm" } else { "trixie" },
            key(number + 40)
        )
    };
    let debrole = "[fleet]\n[release.bookworm]\n[release.trixie]\n[monitoring]\ncontacts = [\"sysadmins\"]\n";
    vec![
        ("debrole.toml", crate::ui::debrole_toml(debrole)),
        (
            "ledger.toml",
            "[users]\n2001 = \"alice\"\n2002 = \"bob\"\n[groups]\n3001 = \"sysadmins\"\n3002 = \"webteam\"\n".into(),
        ),
        ("users/alice.toml", user(2001, "Alice", "email = \"alice@example.org\"\n")),
        ("users/bob.toml", user(2002, "Bob", "email = \"bob@example.org\"\n")),
        ("groups/sysadmins.toml", "gid = 3001\ndescription = \"Administrators\"\nmembers = [\"alice\"]\n".into()),
        ("groups/webteam.toml", "gid = 3002\ndescription = \"Editors; of the $site\"\nmembers = [\"bob\"]\n".into()),
        (
            "roles/base.toml",
            "summary = \"Base\"\n[access]\nlogin = [\"sysadmins\"]\n[[access.sudo]]\ngroup = \"sysadmins\"\n\
             commands = [\"ALL\"]\nreason = \"administrators of all machines\"\n"
                .into(),
        ),
        (
            "roles/monitor.toml",
            "summary = \"Monitor\"\nincludes = [\"base\"]\n[nagios_server]\n[munin_server]\n".into(),
        ),
        (
            "roles/web.toml",
            r#"summary = "Web"
includes = ["base"]
[monitoring]
contacts = ["webteam"]
[[check]]
name = "http"
command = "/usr/lib/nagios/plugins/check_http -H localhost -w {warning} -c {critical} -s 'It works'"
warning = 2
critical = 10
notes = "the runbook is in the wiki"
[[check]]
name = "outside"
kind = "active"
command = "/usr/lib/nagios/plugins/check_dns -H {fqdn} -s {address} -w {warning}"
warning = 2.5
interval = "15m"
[[check]]
name = "report"
kind = "passive"
freshness = "26h"
contacts = ["sysadmins"]
[[munin]]
plugin = "nginx_request"
user = "root"
env = { url = "http://localhost/nginx_status" }
"#
            .into(),
        ),
        (
            "roles/db.toml",
            r#"summary = "Database"
includes = ["base"]
[[check]]
name = "locks"
command = "/usr/lib/nagios/plugins/check_pgsql -d 'a b' -w {warning} -c {critical}"
user = "postgres"
warning = "1:5"
critical = "0:9"
[[munin]]
plugin = "postgres_size_"
name = "postgres_size_ALL"
[monitoring.thresholds.load]
warning = 8
critical = 16
"#
            .into(),
        ),
        ("hosts/kvm1.example.org.toml", host(4, "\"base\"", "")),
        ("hosts/db1.example.org.toml", host(5, "\"db\"", "[monitoring]\nparents = [\"kvm1.example.org\"]\n")),
        ("hosts/mon1.example.org.toml", host(6, "\"monitor\"", "")),
        ("hosts/web1.example.org.toml", host(8, "\"web\"", "[monitoring]\nparents = [\"kvm1.example.org\"]\n")),
        (
            "hosts/web2.example.org.toml",
            host(
                10,
                "\"web\"",
                r#"[monitoring]
contacts = ["webteam", "sysadmins"]
[monitoring.thresholds."web/http"]
critical = 20
[monitoring.thresholds."web/outside"]
warning = 5
[monitoring.thresholds.disk]
critical = 3
[[monitoring.skip]]
check = "updates"
reason = "frozen until the vendor has moved"
until = 2026-12-31
"#,
            ),
        ),
    ]
}

/// The fleet with some files changed; an empty text: without the file.
pub fn with(changes: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let mut files = fleet();
    for (path, text) in changes {
        files.retain(|(name, _)| name != path);
        if !text.is_empty() {
            files.push((path, (*text).to_owned()));
        }
    }
    files
}

/// The text of one of its files.
pub fn original(path: &str) -> String {
    fleet().into_iter().find(|(name, _)| *name == path).map(|(_, text)| text).unwrap()
}
