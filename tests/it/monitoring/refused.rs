//! What is refused, each with its file and line, and what is only warned of.

use super::{fleet, original, with};
use crate::access::{key, user, write};

/// A change of the fleet, what is said of it, and at which line of the file.
struct Bad {
    what: &'static str,
    path: &'static str,
    text: String,
    code: &'static str,
    line: usize,
}

fn bad(what: &'static str, path: &'static str, text: impl Into<String>, code: &'static str, line: usize) -> Bad {
    Bad { what, path, text: text.into(), code, line }
}

#[test]
fn bad_input_is_said_with_file_and_line() {
    let role = "roles/web.toml";
    let web = |table: &str| format!("summary = \"Web\"\nincludes = [\"base\"]\n{table}\n");
    let check = |rest: &str| web(&format!("[[check]]\nname = \"http\"\n{rest}"));
    let http = "/usr/lib/nagios/plugins/check_http";
    let command = |command: &str| check(&format!("command = \"{command}\""));
    let thresholds = |rest: &str| check(&format!("command = \"{http} -w {{warning}} -c {{critical}}\"\n{rest}"));
    let named = |name: &str| web(&format!("[[check]]\nname = {name}\ncommand = \"{http} -H localhost\""));
    let munin = |rest: &str| web(&format!("[[munin]]\n{rest}"));
    let debrole = "debrole.toml";
    let end = original(debrole).lines().count();
    let fleet_with = |rest: &str| format!("{}{rest}\n", original(debrole));
    let one = "hosts/web1.example.org.toml";
    let host = |rest: &str| {
        format!(
            "roles = [\"web\"]\nrelease = \"bookworm\"\naddresses = [\"192.0.2.8\"]\nssh_host_key = \"{}\"\n{rest}\n",
            key(48)
        )
    };
    let skipped = |rest: &str| host(&format!("[[monitoring.skip]]\n{rest}"));
    let cases = vec![
        bad("a plugin that there is not", role, command("/usr/lib/nagios/plugins/check_htpp"), "unknown-plugin", 5),
        bad("a command that nothing brings", role, command("/usr/local/bin/look"), "unknown-plugin", 5),
        bad(
            "a plugin of another release",
            role,
            command("/usr/lib/nagios/plugins/check_mssql -H localhost"),
            "unknown-plugin",
            5,
        ),
        bad(
            "a plugin of contrib that there is not",
            role,
            check("command = \"/usr/lib/nagios/plugins/check_memroy\"\ndepends = [\"monitoring-plugins-contrib\"]"),
            "unknown-plugin",
            5,
        ),
        bad(
            "a plugin of contrib without its package",
            role,
            command("/usr/lib/nagios/plugins/check_memory"),
            "unknown-plugin",
            5,
        ),
        bad(
            "an active plugin that the server's release has not",
            role,
            check("kind = \"active\"\ncommand = \"/usr/lib/nagios/plugins/check_mssql -H {address}\""),
            "unknown-plugin",
            6,
        ),
        bad(
            "a plugin that the machine's release has not",
            one,
            host("[[check]]\nname = \"sql\"\ncommand = \"/usr/lib/nagios/plugins/check_mssql\""),
            "unknown-plugin",
            7,
        ),
        bad("a relative command", role, command("check_http -H localhost"), "unknown-plugin", 5),
        bad("a plugin of Munin that there is not", role, munin("plugin = \"nginx_reqest\""), "unknown-plugin", 4),
        bad("a plugin of Munin elsewhere", role, munin("plugin = \"../../bin/sh\""), "unknown-plugin", 4),
        bad("a plugin without its argument", role, munin("plugin = \"if_\""), "munin-wildcard", 4),
        bad("a plugin with another's argument", role, munin("plugin = \"if_\"\nname = \"eth0\""), "munin-wildcard", 5),
        bad("a plugin's name with a slash", role, munin("plugin = \"load\"\nname = \"../x\""), "invalid-check-name", 5),
        bad(
            "a newline in a plugin's setting",
            role,
            munin("plugin = \"load\"\nenv = { a = \"b\\nuser root\" }"),
            "control-character",
            5,
        ),
        bad(
            "a setting that is none",
            role,
            munin("plugin = \"load\"\nenv = { \"a b\" = \"c\" }"),
            "invalid-environment-name",
            5,
        ),
        bad("a plugin twice", role, munin("plugin = \"load\"\n[[munin]]\nplugin = \"load\""), "duplicate-name", 6),
        bad("; in a command", role, command(&format!("{http} -H localhost; reboot")), "check-characters", 5),
        bad("; in quotes", role, command(&format!("{http} -s 'a;b'")), "check-characters", 5),
        bad("a newline in a command", role, command(&format!("{http}\\ncommand[x]=/bin/sh")), "control-character", 5),
        bad("! in a command", role, command(&format!("{http} -s hello!")), "check-characters", 5),
        bad("$ in a command", role, command(&format!("{http} -H $HOSTADDRESS$")), "check-characters", 5),
        bad("a backtick in a command", role, command(&format!("{http} -H `id`")), "check-characters", 5),
        bad("a pipe in a command", role, command(&format!("{http} -H localhost | tee /tmp/x")), "check-characters", 5),
        bad(
            "a redirection in a command",
            role,
            command(&format!("{http} -H localhost > /tmp/x")),
            "check-characters",
            5,
        ),
        bad("a quote that is open", role, command(&format!("{http} -s 'It works")), "check-characters", 5),
        bad("a place that stands for nothing", role, command(&format!("{http} -H {{host}}")), "check-characters", 5),
        bad("a place of active checks", role, command(&format!("{http} -H {{address}}")), "check-characters", 5),
        bad("an empty command", role, command(""), "empty-text", 5),
        bad("; in a check's name", role, named("\"http;x\""), "invalid-check-name", 4),
        bad("! in a check's name", role, named("\"http!x\""), "invalid-check-name", 4),
        bad("a newline in a check's name", role, named("\"http\\nx\""), "invalid-check-name", 4),
        bad("$ in a check's name", role, named("\"$USER1$\""), "invalid-check-name", 4),
        bad("a backtick in a check's name", role, named("\"`id`\""), "invalid-check-name", 4),
        bad("_ in a check's name", role, named("\"web_http\""), "invalid-check-name", 4),
        bad(
            "a check twice",
            role,
            web(&format!(
                "[[check]]\nname = \"a\"\ncommand = \"{http}\"\n[[check]]\nname = \"a\"\ncommand = \"{http}\""
            )),
            "duplicate-name",
            7,
        ),
        bad("; in the notes", role, check(&format!("command = \"{http}\"\nnotes = \"a; b\"")), "check-characters", 6),
        bad(
            "a newline in the notes",
            role,
            check(&format!("command = \"{http}\"\nnotes = \"a\\nb\"")),
            "control-character",
            6,
        ),
        bad(
            "a quote in the notes",
            role,
            check(&format!("command = \"{http}\"\nnotes = 'say \"a\"'")),
            "check-characters",
            6,
        ),
        bad("inverted thresholds", role, thresholds("warning = 10\ncritical = 2"), "inverted-thresholds", 6),
        bad(
            "inverted thresholds, lower is worse",
            role,
            thresholds("warning = 2\ncritical = 10\nworse = \"lower\""),
            "inverted-thresholds",
            6,
        ),
        bad(
            "inverted thresholds with a unit",
            role,
            thresholds("warning = \"5%\"\ncritical = \"3%\""),
            "inverted-thresholds",
            6,
        ),
        bad(
            "one of several inverted",
            role,
            thresholds("warning = \"5,4,9\"\ncritical = \"8,6,4\""),
            "inverted-thresholds",
            6,
        ),
        bad("inverted ranges", role, thresholds("warning = \"1:50\"\ncritical = \"5:20\""), "inverted-thresholds", 6),
        bad("a threshold with a blank", role, thresholds("warning = \"1 2\"\ncritical = 3"), "invalid-threshold", 6),
        bad("a threshold with ;", role, thresholds("warning = \"1;2\"\ncritical = 3"), "invalid-threshold", 6),
        bad(
            "a threshold without a place",
            role,
            check(&format!("command = \"{http}\"\nwarning = 3")),
            "threshold-without-place",
            6,
        ),
        bad(
            "a place without a threshold",
            role,
            check(&format!("command = \"{http} -w {{warning}}\"")),
            "threshold-without-place",
            5,
        ),
        bad("another kind", role, check(&format!("kind = \"pasive\"\ncommand = \"{http}\"")), "invalid-choice", 5),
        bad(
            "a passive check with a command",
            role,
            check(&format!("kind = \"passive\"\nfreshness = \"1d\"\ncommand = \"{http}\"")),
            "check-kind-keys",
            7,
        ),
        bad("a passive check that is never missed", role, check("kind = \"passive\""), "check-kind-keys", 3),
        bad(
            "freshness of one that is asked",
            role,
            check(&format!("command = \"{http}\"\nfreshness = \"1d\"")),
            "check-kind-keys",
            6,
        ),
        bad(
            "a user of an active check",
            role,
            check(&format!("kind = \"active\"\ncommand = \"{http}\"\nuser = \"root\"")),
            "check-kind-keys",
            7,
        ),
        bad("a check without a command", role, check("interval = \"5m\""), "check-kind-keys", 3),
        bad(
            "a check every 0 minutes",
            role,
            check(&format!("command = \"{http}\"\ninterval = \"0m\"")),
            "invalid-duration",
            6,
        ),
        bad(
            "a group that there is not",
            role,
            check(&format!("command = \"{http}\"\ncontacts = [\"webtem\"]")),
            "unknown-group",
            6,
        ),
        bad("a person for a group", role, web("[monitoring]\ncontacts = [\"bob\"]"), "unknown-group", 4),
        bad(
            "a group that nothing uses",
            "groups/spare.toml",
            "gid = 3003\ndescription = \"x\"\nmembers = [\"bob\"]\n",
            "group-without-grant",
            1,
        ),
        bad(
            "a role's threshold for no check",
            role,
            web("[monitoring.thresholds.disks]\ncritical = 3"),
            "unknown-check",
            3,
        ),
        bad(
            "a role's inverted threshold",
            role,
            web("[monitoring.thresholds.disk]\nwarning = 3"),
            "inverted-thresholds",
            4,
        ),
        bad("a percent sign", role, web("[monitoring.thresholds.disk]\nwarning = \"30%\""), "invalid-threshold", 4),
        bad(
            "the fleet's inverted threshold",
            debrole,
            fleet_with("[monitoring.thresholds.load]\nwarning = 9\ncritical = 3"),
            "inverted-thresholds",
            end + 2,
        ),
        bad(
            "a check of the fleet that there is not",
            debrole,
            fleet_with("[monitoring.thresholds.\"web/http\"]\nwarning = 9"),
            "unknown-check",
            end + 1,
        ),
        bad("no attempts", debrole, fleet_with("attempts = 0"), "number-out-of-range", end + 1),
        bad("a period that there is not", debrole, fleet_with("period = \"work\""), "unknown-period", end + 1),
        bad(
            "a period that nothing uses",
            debrole,
            fleet_with("[monitoring.periods.work]\ndays = [\"monday 09:00-10:00\"]"),
            "period-unused",
            end + 1,
        ),
        bad(
            "a period over midnight",
            debrole,
            fleet_with("period = \"n\"\n[monitoring.periods.n]\ndays = [\"monday 22:00-06:00\"]"),
            "invalid-period",
            end + 3,
        ),
        bad(
            "no such day",
            debrole,
            fleet_with("period = \"n\"\n[monitoring.periods.n]\ndays = [\"mondy 09:00-10:00\"]"),
            "invalid-period",
            end + 3,
        ),
        bad(
            "no such time",
            debrole,
            fleet_with("period = \"n\"\n[monitoring.periods.n]\ndays = [\"monday 09:00-25:00\"]"),
            "invalid-period",
            end + 3,
        ),
        bad(
            "; in a period's name",
            debrole,
            fleet_with("[monitoring.periods.\"a;b\"]\ndays = [\"monday 09:00-10:00\"]"),
            "invalid-check-name",
            end + 1,
        ),
        bad(
            "an escalation to nobody",
            debrole,
            fleet_with("[[monitoring.escalation]]\nafter = 2\ncontacts = []"),
            "empty-text",
            end + 3,
        ),
        bad(
            "an escalation to a group that there is not",
            debrole,
            fleet_with("[[monitoring.escalation]]\nafter = 2\ncontacts = [\"oncall\"]"),
            "unknown-group",
            end + 3,
        ),
        bad(
            "nobody hears of anything",
            debrole,
            original(debrole).replace("contacts = [\"sysadmins\"]", "retry = \"1m\""),
            "check-without-contact",
            1,
        ),
        bad(
            "a parent that there is not",
            one,
            host("[monitoring]\nparents = [\"kvm2.example.org\"]"),
            "unknown-host",
            6,
        ),
        bad("a parent by its short name", one, host("[monitoring]\nparents = [\"kvm1\"]"), "unknown-host", 6),
        bad("its own parent", one, host("[monitoring]\nparents = [\"web1.example.org\"]"), "parent-cycle", 6),
        bad(
            "parents in a circle",
            "hosts/kvm1.example.org.toml",
            original("hosts/kvm1.example.org.toml") + "[monitoring]\nparents = [\"web1.example.org\"]\n",
            "parent-cycle",
            6,
        ),
        bad(
            "an address that another has",
            "hosts/web2.example.org.toml",
            original("hosts/web2.example.org.toml").replace("192.0.2.10", "192.0.2.8"),
            "address-used-twice",
            3,
        ),
        bad("a skip without a reason", one, skipped("check = \"disk\"\nuntil = 2027-01-01"), "missing-key", 5),
        bad("a skip without an end", one, skipped("check = \"disk\"\nreason = \"x\""), "missing-key", 5),
        bad(
            "a skip that has ended",
            one,
            skipped("check = \"disk\"\nreason = \"x\"\nuntil = 2026-11-21"),
            "skip-ended",
            8,
        ),
        bad(
            "a skip of no check",
            one,
            skipped("check = \"disc\"\nreason = \"x\"\nuntil = 2027-01-01"),
            "unknown-check",
            6,
        ),
        bad(
            "a skip of a check that the machine has not",
            one,
            skipped("check = \"db/locks\"\nreason = \"x\"\nuntil = 2027-01-01"),
            "unknown-check",
            6,
        ),
        bad(
            "a skip twice",
            one,
            skipped(
                "check = \"disk\"\nreason = \"x\"\nuntil = 2027-01-01\n[[monitoring.skip]]\ncheck = \"disk\"\nreason = \"x\"\nuntil = 2027-01-01",
            ),
            "duplicate-name",
            10,
        ),
        bad(
            "an injection by a reason",
            one,
            skipped("check = \"disk\"\nreason = \"a\\nb\"\nuntil = 2027-01-01"),
            "control-character",
            7,
        ),
        bad(
            "a host's inverted threshold",
            one,
            host("[monitoring.thresholds.disk]\nwarning = 4"),
            "inverted-thresholds",
            6,
        ),
        bad(
            "a host's inverted threshold of a role's check",
            one,
            host("[monitoring.thresholds.\"web/http\"]\nwarning = 11"),
            "inverted-thresholds",
            6,
        ),
        bad(
            "a threshold of a check that it has not",
            one,
            host("[monitoring.thresholds.\"web/https\"]\nwarning = 1"),
            "unknown-check",
            5,
        ),
        bad(
            "a threshold that the check has not",
            one,
            host("[monitoring.thresholds.\"web/outside\"]\ncritical = 9"),
            "threshold-without-place",
            6,
        ),
        bad(
            "thresholds of two roles",
            one,
            host("").replace("[\"web\"]", "[\"web\", \"db\", \"cache\"]"),
            "threshold-clash",
            4,
        ),
        bad("a machine without a host key", one, host("").replace("ssh_host_key", "#"), "machine-without-host-key", 1),
        bad(
            "a server without an address",
            "hosts/mon1.example.org.toml",
            original("hosts/mon1.example.org.toml").replace("addresses", "#"),
            "server-without-address",
            1,
        ),
        bad(
            "a server that says nothing",
            "roles/monitor.toml",
            "summary = \"Monitor\"\nincludes = [\"base\"]\n[nagios_server]\nnotify = false\n[munin_server]\n",
            "check-without-contact",
            3,
        ),
        bad(
            "nobody asks",
            "roles/monitor.toml",
            "summary = \"Monitor\"\nincludes = [\"base\"]\n",
            "check-without-server",
            0,
        ),
        bad("a group without an address", "users/alice.toml", user(2001, "Alice", ""), "contacts-unreachable", 0),
        bad(
            "somebody without an address",
            "groups/webteam.toml",
            "gid = 3002\ndescription = \"x\"\nmembers = [\"bob\", \"carol\"]\n",
            "contact-without-mail",
            0,
        ),
        bad(
            "a shell in an address",
            "users/bob.toml",
            user(2002, "Bob", "email = \"bob|sh@example.org\""),
            "check-characters",
            1,
        ),
        bad("a role called machine", "roles/machine.toml", named("\"disk\""), "check-name-taken", 4),
    ];
    let mut wrong = Vec::new();
    let mut codes = std::collections::BTreeSet::new();
    let kinds = cases.len();
    for Bad { what, path, text, code, line } in cases {
        codes.insert(code);
        let dir = tempfile::tempdir().unwrap();
        let mut files = with(&[(path, &text)]);
        match code {
            "threshold-clash" => files
                .push(("roles/cache.toml", "summary = \"Cache\"\n[monitoring.thresholds.load]\nwarning = 4\n".into())),
            "contact-without-mail" => {
                files.push(("users/carol.toml", user(2003, "Carol", "")));
                files.retain(|(path, _)| *path != "ledger.toml");
                files.push(("ledger.toml", original("ledger.toml").replace("[groups]", "2003 = \"carol\"\n[groups]")));
            }
            _ => {}
        }
        write(dir.path(), &files);
        let (_, diagnostics, sources) = crate::ui::check(dir.path());
        let places: Vec<(&str, String)> = diagnostics
            .iter()
            .map(|d| {
                let place = d.primary.as_ref().map(|label| {
                    let (line, _) = sources.line_column(label.span.file, label.span.start);
                    format!("{}:{line}", sources.path(label.span.file).display())
                });
                (d.rule.code, place.unwrap_or_default())
            })
            .collect();
        // What follows from one file may be said of another.
        let expected = match (code, what) {
            ("check-without-server", _) => "roles/db.toml:4".to_owned(),
            ("contacts-unreachable", _) => format!("debrole.toml:{end}"),
            ("contact-without-mail", _) => "users/carol.toml:1".to_owned(),
            ("check-without-contact", "nobody hears of anything") => "hosts/db1.example.org.toml:1".to_owned(),
            ("threshold-clash", _) => "roles/db.toml:13".to_owned(),
            _ => format!("{path}:{line}"),
        };
        if !places.contains(&(code, expected.clone())) {
            wrong.push(format!("{what}: {code} at {expected} is not among {places:?}"));
        }
        if diagnostics.iter().any(|d| d.help.is_empty()) {
            wrong.push(format!("{what}: what to do is missing: {diagnostics:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(kinds >= 80 && codes.len() >= 30, "{kinds} kinds of bad input, {} rules", codes.len());
    write_and_accept();
}

#[track_caller]
fn write_and_accept() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &fleet());
    let (accepted, diagnostics, _) = crate::ui::check(dir.path());
    assert!(accepted && diagnostics.is_empty(), "the fleet without a change is right: {diagnostics:#?}");
}

/// A role takes precedence over what it includes: that is no clash.
#[test]
fn what_includes_another_role_wins_over_it() {
    let base = original("roles/base.toml") + "[monitoring.thresholds.load]\nwarning = 3\n";
    let read = crate::access::read(&with(&[("roles/base.toml", &base)]), crate::access::TODAY).right();
    assert!(read.plans.iter().any(|plan| plan.name.as_str() == "pg-agent"));
}

/// All that is wrong in several files is said at once.
#[test]
fn mistakes_of_several_files_are_said_together() {
    let dir = tempfile::tempdir().unwrap();
    let files = with(&[
        (
            "roles/web.toml",
            "summary = \"Web\"\n[[check]]\nname = \"a;b\"\ncommand = \"/usr/lib/nagios/plugins/check_http; x\"\nwarning = \"!\"\n",
        ),
        (
            "hosts/kvm1.example.org.toml",
            &(original("hosts/kvm1.example.org.toml") + "[monitoring]\nparents = [\"nowhere.example.org\"]\n"),
        ),
        ("debrole.toml", &(original("debrole.toml") + "attempts = 99\n")),
    ]);
    write(dir.path(), &files);
    let (_, diagnostics, _) = crate::ui::check(dir.path());
    let mut codes: Vec<_> = diagnostics.iter().map(|d| d.rule.code).collect();
    codes.sort_unstable();
    assert_eq!(
        codes,
        ["check-characters", "invalid-check-name", "invalid-threshold", "number-out-of-range", "unknown-host"],
        "{diagnostics:#?}"
    );
}
