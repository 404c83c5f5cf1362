//! What is in the packages: of the machines, of Nagios, of Munin.

use super::{fleet, original, with};
use crate::access::{Read, TODAY, read, user};
use debrole::plan::Entry;
use std::collections::BTreeSet;

fn payload(of: &Read, package: &str, release: &str, path: &str) -> Option<String> {
    let home = match package.split_once("-role-").or_else(|| package.split_once("-host-")) {
        Some((_, name)) if package.contains("-role-") => format!("roles/{name}"),
        Some((_, name)) => format!("hosts/{name}"),
        None => package.strip_prefix("pg-").unwrap().to_owned(),
    };
    let path = format!("/usr/share/pg/{home}/files{path}");
    let plan = of.plans.iter().find(|plan| plan.name.as_str() == package)?;
    let variant = plan.variants.iter().find(|v| v.releases.iter().any(|r| r.as_str() == release))?;
    match variant.deb.entries.get(path.as_str())? {
        Entry::File { bytes, .. } => Some(String::from_utf8(bytes.to_vec()).unwrap()),
        other => panic!("{package}: {path} is {other:?}"),
    }
}

#[track_caller]
fn text(of: &Read, package: &str, path: &str) -> String {
    let found = ["bookworm", "trixie"].iter().find_map(|release| payload(of, package, release, path));
    found.unwrap_or_else(|| panic!("{package} has no {path}"))
}

fn objects(of: &Read, name: &str) -> String {
    text(of, "pg-nagios-config", &format!("/etc/nagios4/pg/{name}.cfg"))
}

/// The definition of an object in which all of these lines are.
#[track_caller]
fn definition(of: &Read, file: &str, lines: &[&str]) -> BTreeSet<String> {
    let all = objects(of, file);
    let blocks: Vec<BTreeSet<String>> = all
        .split("define ")
        .map(|block| block.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect())
        .collect();
    let found: Vec<_> =
        blocks.into_iter().filter(|block: &BTreeSet<String>| lines.iter().all(|line| block.contains(*line))).collect();
    assert_eq!(found.len(), 1, "{lines:?} in\n{all}");
    found.into_iter().next().unwrap()
}

/// What came with a release or moved with it is there where it is.
#[test]
fn plugins_are_those_of_the_release() {
    let web = "summary = \"Web\"\nincludes = [\"base\"]\n[[check]]\nname = \"page\"\n\
               command = \"/usr/lib/nagios/plugins/check_curl -H localhost\"\n[[check]]\nname = \"memory\"\n\
               command = \"/usr/lib/nagios/plugins/check_memory\"\ndepends = [\"monitoring-plugins-contrib\"]\n\
               [[release.trixie.check]]\nname = \"sql\"\ncommand = \"/usr/lib/nagios/plugins/check_mssql -H localhost\"\n";
    let host = original("hosts/web2.example.org.toml");
    let host =
        host.lines().filter(|line| !line.contains("web/") && !line.starts_with("warning = 5")).collect::<Vec<_>>();
    let host = host.join("\n").replace("critical = 20\n", "");
    let read = read(&with(&[("roles/web.toml", web), ("hosts/web2.example.org.toml", &host)]), TODAY).right();
    let plan = read.plans.iter().find(|plan| plan.name.as_str() == "pg-role-web").unwrap();
    let depends = |release: &str| {
        let variant = plan.variants.iter().find(|v| v.releases.iter().any(|r| r.as_str() == release)).unwrap();
        let names = variant.deb.relations.values().flatten().map(ToString::to_string);
        names.filter(|name| name.starts_with("monitoring-plugins-")).collect::<BTreeSet<_>>()
    };
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(depends("bookworm"), set(&["monitoring-plugins-contrib", "monitoring-plugins-standard"]));
    assert_eq!(depends("trixie"), set(&["monitoring-plugins-contrib"]), "the agent has -basic");
    let commands =
        |release: &str| payload(&read, "pg-role-web", release, "/etc/nagios/nrpe.d/60-pg-role-web.cfg").unwrap();
    assert!(commands("trixie").contains("command[web_sql]=") && !commands("bookworm").contains("command[web_sql]="));
}

#[test]
fn roles_bring_commands_plugins_and_their_packages() {
    let read = read(&fleet(), TODAY).right();
    assert_eq!(
        text(&read, "pg-role-web", "/etc/nagios/nrpe.d/60-pg-role-web.cfg"),
        "# Managed by pg-role-web: what is changed here is changed back.\n\
         command[web_http]=/usr/lib/nagios/plugins/check_http -H localhost -w 2 -c 10 -s 'It works'\n"
    );
    assert_eq!(
        text(&read, "pg-role-db", "/etc/nagios/nrpe.d/60-pg-role-db.cfg").lines().last().unwrap(),
        "command[db_locks]=/usr/bin/sudo -n -u postgres /usr/lib/nagios/plugins/check_pgsql -d 'a b' -w 1:5 -c 0:9"
    );
    let any = r"[0-9.\,\:~@%+a-zA-Z-]*";
    assert_eq!(
        text(&read, "pg-role-db", "/etc/sudoers.d/60-pg-role-db-checks").lines().last().unwrap(),
        format!("nagios ALL=(postgres) NOPASSWD: /usr/lib/nagios/plugins/check_pgsql -d a b -w {any} -c {any}")
    );
    assert_eq!(
        read.text("pg-role-web", "/usr/share/pg/roles/web/munin"),
        "debrole-munin 1\npackage pg-role-web\nplugin nginx_request /usr/share/munin/plugins/nginx_request\n"
    );
    assert_eq!(
        text(&read, "pg-role-web", "/etc/munin/plugin-conf.d/60-pg-role-web"),
        "# Managed by pg-role-web: what is changed here is changed back.\n[nginx_request]\nuser root\nenv.url \
         http://localhost/nginx_status\n"
    );
    let depends = read.relations("pg-role-db");
    for needed in ["pg-agent", "monitoring-plugins-standard", "sudo"] {
        assert!(depends.iter().any(|name| name == needed), "{needed} is not among {depends:?}");
    }
    // What is run on the server is the server's to install.
    assert!(!read.relations("pg-role-web").iter().any(|name| name == "monitoring-plugins-standard"));
    let manifest = read.text("pg-role-web", "/usr/share/pg/roles/web/manifest");
    for line in [
        "restart /etc/nagios/nrpe.d/60-pg-role-web.cfg nagios-nrpe-server.service",
        "restart /etc/munin/plugin-conf.d/60-pg-role-web munin-node.service",
    ] {
        assert!(manifest.lines().any(|one| one == line), "{line}\n{manifest}");
    }
    assert!(read.text("pg-role-db", "/usr/share/pg/roles/db/manifest").contains("60-pg-role-db-checks visudo -c\n"));
}

#[test]
fn the_agent_lets_the_servers_ask_and_nobody_else() {
    let read = read(&fleet(), TODAY).right();
    let settings = text(&read, "pg-agent", "/etc/nagios/nrpe.d/10-pg-agent.cfg");
    for line in [
        "allowed_hosts=127.0.0.1,::1,192.0.2.6",
        "ssl_client_certs=2",
        "dont_blame_nrpe=0",
        "ssl_cacert_file=/var/lib/pg/nrpe/monitors.pem",
    ] {
        assert!(settings.lines().any(|one| one == line), "{line}\n{settings}");
    }
    let node = text(&read, "pg-agent", "/etc/munin/pg-node.conf");
    let allow: Vec<&str> = node.lines().filter(|line| line.starts_with("allow ")).collect();
    assert_eq!(allow, [r"allow ^127\.0\.0\.1$", "allow ^::1$", r"allow ^(?:::ffff:)?192\.0\.2\.6$"]);
    // Where Munin asks by IPv4 alone, no machine needs an address of IPv6 to listen.
    assert!(node.lines().any(|line| line == "host 0.0.0.0"), "{node}");
    let mut by_v6 = fleet();
    for (path, text) in &mut by_v6 {
        if *path == "hosts/web1.example.org.toml" {
            *text = text.replace("addresses = [", "addresses = [\"2001:db8::1\", ");
        }
    }
    let node = text(&self::read(&by_v6, TODAY).right(), "pg-agent", "/etc/munin/pg-node.conf");
    assert!(node.lines().any(|line| line == "host *"), "{node}");
    assert_eq!(read.text("pg-agent", "/usr/share/pg/agent/monitors"), "mon1.example.org 192.0.2.6\n");
    let list = read.text("pg-agent", "/usr/share/pg/agent/munin");
    assert!(list.contains("\nplugin load load\n") && !list.contains("\nonly\n"), "{list}");
    let alone = original("debrole.toml").replace("[monitoring]\n", "[monitoring]\ndetected_plugins = false\n");
    let alone = self::read(&with(&[("debrole.toml", &alone)]), TODAY).right();
    assert_eq!(alone.text("pg-agent", "/usr/share/pg/agent/munin"), list + "only\n");
    let checks = text(&read, "pg-agent", "/etc/nagios/nrpe.d/20-pg-agent.cfg");
    assert!(checks.contains("command[machine_disk]=/usr/lib/pg/check disk 10 5\n"), "{checks}");
    assert_eq!(checks.matches("command[machine_").count(), 10, "{checks}");
    for host in ["web1", "db1", "mon1", "kvm1"] {
        let name = format!("pg-host-{host}.example.org");
        let release = if host == "db1" { "trixie" } else { "bookworm" };
        let depends = &read.deb(&name, release).relations;
        assert!(depends.values().flatten().any(|one| one.to_string() == "pg-agent"), "{host}: {depends:?}");
    }
}

#[test]
fn thresholds_are_the_hosts_before_the_roles_before_the_fleets() {
    let debrole = original("debrole.toml") + "[monitoring.thresholds.disk]\nwarning = 20\n";
    let read = read(&with(&[("debrole.toml", &debrole)]), TODAY).right();
    let path = "/etc/nagios/nrpe.d/20-pg-agent.cfg";
    let disk = |text: &str| text.lines().find(|line| line.contains("machine_disk")).unwrap().to_owned();
    let load = |text: &str| text.lines().find(|line| line.contains("machine_load")).unwrap().to_owned();
    let agent = text(&read, "pg-agent", path);
    assert!(disk(&agent).ends_with("check disk 20 5") && load(&agent).ends_with("check load 2 4"), "{agent}");
    let db = text(&read, "pg-host-db1.example.org", path);
    assert!(disk(&db).ends_with("check disk 20 5") && load(&db).ends_with("check load 8 16"), "{db}");
    let web = text(&read, "pg-host-web2.example.org", path);
    assert!(disk(&web).ends_with("check disk 20 3") && load(&web).ends_with("check load 2 4"), "{web}");
    // Where nothing is other than usual the agent's own file counts.
    assert_eq!(payload(&read, "pg-host-web1.example.org", "bookworm", path), None);
    let role = "/etc/nagios/nrpe.d/60-pg-role-web.cfg";
    assert!(text(&read, "pg-host-web2.example.org", role).contains("check_http -H localhost -w 2 -c 20 -s"));
    assert_eq!(payload(&read, "pg-host-web1.example.org", "bookworm", role), None);
    // A check that the server makes differs there.
    let commands = objects(&read, "commands");
    assert!(commands.contains("check_dns -H '$HOSTNAME$' -s '$HOSTADDRESS$' -w 2.5\n"), "{commands}");
    let own = definition(&read, "services", &["service_description web: outside", "host_name web2.example.org"]);
    assert!(own.contains("check_command active_web_outside@web2.example.org"), "{own:?}");
}

/// A role without templates is one package on all releases; what its machines say of it counts on each.
#[test]
fn thresholds_of_a_host_count_on_every_release() {
    for release in ["bookworm", "trixie"] {
        let web2 = original("hosts/web2.example.org.toml").replace("bookworm", release);
        let read = read(&with(&[("hosts/web2.example.org.toml", &web2)]), TODAY).right();
        let role = payload(&read, "pg-host-web2.example.org", release, "/etc/nagios/nrpe.d/60-pg-role-web.cfg");
        let role = role.unwrap_or_else(|| panic!("{release}: the host's package has no thresholds of its own"));
        assert!(role.contains("check_http -H localhost -w 2 -c 20 -s"), "{release}");
    }
}

#[test]
fn nagios_asks_all_machines_for_what_they_are() {
    let read = read(&fleet(), TODAY).right();
    let host = definition(&read, "hosts", &["host_name web1.example.org"]);
    for line in ["address 192.0.2.8", "parents kvm1.example.org", "contact_groups sysadmins"] {
        assert!(host.contains(line), "{line}: {host:?}");
    }
    let group = definition(&read, "hosts", &["hostgroup_name web"]);
    assert!(group.contains("members web1.example.org,web2.example.org"), "{group:?}");
    // The role's people hear of its checks, the check's own of that.
    let http = definition(&read, "services", &["service_description web: http"]);
    for line in ["hostgroup_name web", "check_command nrpe!web_http", "contact_groups webteam"] {
        assert!(http.contains(line), "{line}: {http:?}");
    }
    let report = definition(&read, "services", &["service_description web: report"]);
    for line in ["use told", "freshness_threshold 93600", "contact_groups sysadmins"] {
        assert!(report.contains(line), "{line}: {report:?}");
    }
    // Those who hear of a machine hear of what every machine is asked.
    let own = definition(&read, "services", &["service_description disk", "host_name web2.example.org"]);
    assert!(own.contains("contact_groups sysadmins,webteam"), "{own:?}");
    // What a machine does without is not asked there.
    let updates = definition(&read, "services", &["service_description updates"]);
    assert!(
        updates.contains("host_name db1.example.org,kvm1.example.org,mon1.example.org,web1.example.org"),
        "{updates:?}"
    );
    let quiet = definition(&read, "dependencies", &["dependent_service_description web: http"]);
    for line in ["service_description nrpe", "hostgroup_name web", "notification_failure_criteria w,u,c"] {
        assert!(quiet.contains(line), "{line}: {quiet:?}");
    }
    let dependencies = objects(&read, "dependencies");
    assert!(!dependencies.contains("web: outside") && !dependencies.contains("web: report"), "{dependencies}");
    let bob = definition(&read, "contacts", &["contact_name bob"]);
    assert!(bob.contains("email bob@example.org"), "{bob:?}");
    assert!(bob.contains("service_notification_period 24x7"), "{bob:?}");
    let team = definition(&read, "contacts", &["contactgroup_name webteam"]);
    // Neither a comment nor a macro begins in what somebody wrote.
    assert!(team.contains("members bob") && team.contains("alias Editors of the site"), "{team:?}");
    let keys = read.text("pg-nagios-config", "/usr/share/pg/nagios-config/agents.keys");
    assert_eq!(keys.lines().count(), 5);
    assert!(keys.lines().all(|line| line.starts_with("restrict,command=\"/usr/lib/pg/agent accept ")), "{keys}");
    assert!(read.relations("pg-nagios-config").iter().any(|name| name == "monitoring-plugins-standard"));
    assert!(read.relations("pg-role-monitor").iter().any(|name| name == "pg-nagios-config"));
    let munin = text(&read, "pg-munin-config", "/etc/munin/munin-conf.d/pg-machines.conf");
    assert!(
        munin.contains("\n[example.org;web1.example.org]\n    address 192.0.2.8\n    use_node_name yes\n"),
        "{munin}"
    );
}

#[test]
fn escalations_periods_and_intervals_are_the_fleets() {
    let debrole = original("debrole.toml")
        + "interval = \"10m\"\nretry = \"2m\"\nattempts = 3\nrepeat = \"0m\"\nperiod = \"work\"\nflapping = false\n\
           [[monitoring.escalation]]\nafter = 2\ncontacts = [\"sysadmins\", \"webteam\"]\nrepeat = \"30m\"\n\
           [monitoring.periods.work]\ndays = [\"friday-monday 09:00-12:00,13:00-24:00\"]\n";
    let read = read(&with(&[("debrole.toml", &debrole)]), TODAY).right();
    let usual = definition(&read, "services", &["name machine"]);
    for line in [
        "check_interval 10",
        "retry_interval 2",
        "max_check_attempts 3",
        "notification_interval 0",
        "notification_period work",
        "flap_detection_enabled 0",
        "passive_checks_enabled 0",
    ] {
        assert!(usual.contains(line), "{line}: {usual:?}");
    }
    let own = definition(&read, "services", &["service_description web: outside", "host_name web1.example.org"]);
    assert!(own.contains("check_interval 15"), "{own:?}");
    let work = definition(&read, "contacts", &["timeperiod_name work"]);
    assert!(work.contains("saturday 09:00-12:00,13:00-24:00") && work.len() == 9, "{work:?}");
    for kind in ["host", "service"] {
        let escalations = objects(&read, "escalations");
        assert!(escalations.contains(&format!("define {kind}escalation {{")), "{escalations}");
    }
    let later = definition(&read, "escalations", &["service_description *"]);
    for line in ["first_notification 2", "contact_groups sysadmins,webteam", "notification_interval 30"] {
        assert!(later.contains(line), "{line}: {later:?}");
    }
}

/// One source: what leaves the tree leaves all that was made of it, and what comes is in all of it.
#[test]
fn a_machine_that_leaves_is_nowhere_any_more() {
    let before = read(&fleet(), TODAY).right();
    let after = read(&with(&[("hosts/web2.example.org.toml", "")]), TODAY).right();
    let everything = |of: &Read| -> String {
        let texts = of.plans.iter().flat_map(|plan| &plan.variants).flat_map(|variant| variant.deb.entries.values());
        let texts = texts.filter_map(|entry| match entry {
            Entry::File { bytes, .. } => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        });
        texts.collect()
    };
    assert!(everything(&before).contains("web2.example.org") && everything(&before).contains("192.0.2.10"));
    assert!(!everything(&after).contains("web2.example.org") && !everything(&after).contains("192.0.2.10"));
    // With another role it is asked for that.
    let host = original("hosts/web2.example.org.toml");
    let (host, _) = host.split_once("[monitoring]").unwrap();
    let moved = read(&with(&[("hosts/web2.example.org.toml", &host.replace("\"web\"", "\"db\""))]), TODAY).right();
    let locks = definition(&moved, "services", &["service_description db: locks"]);
    assert!(locks.contains("hostgroup_name db"), "{locks:?}");
    let group = definition(&moved, "hosts", &["hostgroup_name db"]);
    assert!(group.contains("members db1.example.org,web2.example.org"), "{group:?}");
    // A second server, and all machines answer it.
    let second = original("hosts/kvm1.example.org.toml").replace("\"base\"", "\"monitor\"");
    let two = read(&with(&[("hosts/kvm1.example.org.toml", &second)]), TODAY).right();
    let settings = text(&two, "pg-agent", "/etc/nagios/nrpe.d/10-pg-agent.cfg");
    assert!(settings.contains("allowed_hosts=127.0.0.1,::1,192.0.2.4,192.0.2.6\n"), "{settings}");
}

#[test]
fn a_machine_that_is_skipped_is_not_asked() {
    let host = original("hosts/kvm1.example.org.toml")
        + "[[monitoring.skip]]\ncheck = \"all\"\nreason = \"in the workshop\"\nuntil = 2026-12-31\n";
    let read = read(&with(&[("hosts/kvm1.example.org.toml", &host)]), TODAY).right();
    assert!(!objects(&read, "hosts").contains("kvm1"));
    assert!(!objects(&read, "services").contains("kvm1"));
    assert!(!text(&read, "pg-munin-config", "/etc/munin/munin-conf.d/pg-machines.conf").contains("kvm1"));
}

#[test]
fn a_server_that_only_watches_says_nothing() {
    let changes = [
        ("roles/watcher.toml", "summary = \"Second\"\nincludes = [\"base\"]\n[nagios_server]\nnotify = false\n"),
        ("hosts/kvm1.example.org.toml", &original("hosts/kvm1.example.org.toml").replace("\"base\"", "\"watcher\"")),
    ];
    let read = read(&with(&changes), TODAY).right();
    let path = "/etc/nagios4/pg/nagios.cfg";
    assert!(text(&read, "pg-nagios-config", path).contains("\nenable_notifications=1\n"));
    assert!(text(&read, "pg-host-kvm1.example.org", path).contains("\nenable_notifications=0\n"));
    assert_eq!(payload(&read, "pg-host-mon1.example.org", "bookworm", path), None);
}

/// A backup server is asked for the age of each job's backups.
#[test]
fn the_age_of_backups_is_asked_where_they_are_kept() {
    let web = original("roles/web.toml") + "[[backup]]\nname = \"site\"\npaths = [\"/srv/www\"]\n";
    let changes = [
        ("roles/web.toml", web.as_str()),
        ("roles/keeper.toml", "summary = \"Backups\"\nincludes = [\"base\"]\n[backup_server]\n"),
        ("hosts/kvm1.example.org.toml", &original("hosts/kvm1.example.org.toml").replace("\"base\"", "\"keeper\"")),
        ("debrole.toml", &(original("debrole.toml") + "[secrets]\ngroups = [\"sysadmins\"]\n")),
    ];
    let read = read(&with(&changes), TODAY).right();
    let age = definition(&read, "services", &["service_description backup: web1.example.org web_site"]);
    for line in ["host_name kvm1.example.org", "check_command nrpe!backup_web1.example.org_web_site"] {
        assert!(age.contains(line), "{line}: {age:?}");
    }
    // Who hears of the machine hears of its backups.
    let other = definition(&read, "services", &["service_description backup: web2.example.org web_site"]);
    assert!(other.contains("contact_groups sysadmins,webteam"), "{other:?}");
    let commands = text(&read, "pg-host-kvm1.example.org", "/etc/nagios/nrpe.d/80-pg-backup.cfg");
    assert!(
        commands
            .contains("command[backup_web1.example.org_web_site]=/usr/lib/pg/check-backup web1.example.org web_site\n"),
        "{commands}"
    );
}

#[test]
fn the_same_tree_makes_the_same_packages() {
    let content = |of: Read| -> Vec<_> {
        of.plans
            .into_iter()
            .map(|plan| (plan.name, plan.variants.into_iter().map(|v| v.deb).collect::<Vec<_>>()))
            .collect()
    };
    let once = content(read(&fleet(), TODAY));
    let mut backwards = fleet();
    backwards.reverse();
    assert!(once == content(read(&backwards, TODAY)));
}

/// Without anything to watch there is no agent.
#[test]
fn a_fleet_that_nobody_watches_has_no_agent() {
    let files: Vec<_> = crate::access::fleet();
    let read = read(&files, TODAY).right();
    assert!(!read.plans.iter().any(|plan| plan.name.as_str() == "pg-agent"));
}

#[test]
fn who_has_access_until_a_day_hears_of_problems_until_then() {
    let bob = user(2002, "Bob", "email = \"bob@example.org\"\nexpires = 2030-02-28\n");
    let read = read(&with(&[("users/bob.toml", &bob)]), TODAY).right();
    let bob = definition(&read, "contacts", &["contact_name bob"]);
    for line in ["host_notification_period until_2030-02-28", "service_notification_period until_2030-02-28"] {
        assert!(bob.contains(line), "{line}: {bob:?}");
    }
    let period = definition(&read, "contacts", &["timeperiod_name until_2030-02-28"]);
    assert!(period.contains("2000-01-01 - 2030-02-28 00:00-24:00"), "{period:?}");
    let alice = definition(&read, "contacts", &["contact_name alice"]);
    assert!(alice.contains("service_notification_period 24x7"), "{alice:?}");
}
