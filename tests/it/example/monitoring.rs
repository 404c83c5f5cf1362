//! The example fleet watched: a monitoring server, a web server, a database and (where the monitoring server runs bookworm,
//! as in the fleet) a backup server, booted and installed by apt alone, with real Nagios, NRPE, Munin, restic and mail.

use super::fleet::{Fleet, Runs};
use crate::machine::{Machine, Need, Release, Tree, skip};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const MONITOR: &str = "mon1.example.org";
const WEB: &str = "web1.example.org";
const DB: &str = "db1.example.org";
pub const BACKUP: &str = "backup1.example.org";
/// The services of the backup server for the jobs of the others.
const AGES: [&str; 2] = ["backup: db1.example.org db_cluster", "backup: web1.example.org web_www"];

pub const IMPLIED: [&str; 11] =
    ["clock", "disk", "drift", "kernel", "load", "memory", "nrpe", "patcher", "refresh", "units", "updates"];
pub const COMMANDS: &str = "/var/lib/nagios4/rw/nagios.cmd";

/// The part of the example fleet that these machines are, with host keys that are at hand.
pub struct Watched {
    pub fleet: Fleet,
    keys: TempDir,
}

impl Watched {
    pub fn new(monitor: Release, with_backup: bool) -> Watched {
        let mut fleet = Fleet::watched();
        if !with_backup {
            fleet = fleet.without(&["backup"]);
        }
        let keys = tempfile::tempdir().expect("a temporary directory");
        for entry in std::fs::read_dir(fleet.tree().join("hosts")).expect("hosts").flatten() {
            let name = entry.file_name().into_string().expect("a name");
            let fqdn = name.trim_end_matches(".toml");
            if !([MONITOR, WEB, DB].contains(&fqdn) || with_backup && fqdn == BACKUP) {
                let gone = if entry.path().is_dir() { std::fs::remove_dir_all } else { std::fs::remove_file };
                gone(entry.path()).expect("writable");
                continue;
            }
            let key = keys.path().join(fqdn);
            let made =
                Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", fqdn, "-f"]).arg(&key).status();
            assert!(made.is_ok_and(|status| status.success()), "ssh-keygen");
            let public = std::fs::read_to_string(key.with_extension("org.pub")).expect("a public key");
            let text = std::fs::read_to_string(entry.path()).expect("readable");
            let lines = text.lines().map(|line| match line.starts_with("ssh_host_key") {
                true => format!("ssh_host_key = \"{}\"\n", public.trim()),
                false => format!("{line}\n"),
            });
            std::fs::write(entry.path(), lines.collect::<String>()).expect("writable");
        }
        // It has a value that its machine alone has.
        fleet.remove("roles/hypervisor.toml");
        std::fs::remove_dir_all(fleet.tree().join("roles/hypervisor")).expect("writable");
        let host = format!("hosts/{MONITOR}.toml");
        if monitor == Release::Trixie {
            fleet.edit(&host, "bookworm", "trixie");
        }
        // As fast as Nagios goes; and the load is that of the machine that tests.
        fleet.edit("debrole.toml", "[monitoring]\n", "[monitoring]\ninterval = \"1m\"\nattempts = 1\n");
        if !with_backup {
            fleet.edit("debrole.toml", "attempts = 1\n", "attempts = 1\ndetected_plugins = false\n");
        }
        fleet.edit(
            "debrole.toml",
            "\n[secrets]\n",
            "\n[monitoring.thresholds.load]\nwarning = 1000\ncritical = 2000\n\n[secrets]\n",
        );
        Watched { fleet: fleet.serve(), keys }
    }

    /// Boots a machine of the tree, which has its host key from the beginning, and installs its package.
    pub fn machine(&self, release: Release, fqdn: &str, number: u8) -> Machine {
        let tree = self.fleet.furnished_tree(release, fqdn);
        let hosts = tree.read("/etc/hosts");
        tree.write("/etc/hosts", format!("{hosts}192.0.2.60 {BACKUP}\n"));
        let private = std::fs::read(self.keys.path().join(fqdn)).expect("a key");
        tree.write("/etc/ssh/ssh_host_ed25519_key", private);
        let path = tree.path("/etc/ssh/ssh_host_ed25519_key");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("it is there");
        tree.copy_in(self.keys.path().join(format!("{fqdn}.pub")), "/etc/ssh/ssh_host_ed25519_key.pub");
        let machine = Machine::boot(&self.fleet.lab, tree, number);
        self.fleet.join(&machine, machine.tree());
        machine.apt(&format!("install pg-host-{fqdn}"));
        machine.no_marks();
        machine
    }
}

/// Nagios as it is on the monitoring server.
pub struct Nagios<'m> {
    pub machine: &'m Machine,
}

impl Nagios<'_> {
    /// (host, service) → (state, what it says), of all that have been checked; the rest with state 9.
    fn services(&self) -> BTreeMap<(String, String), (u8, String)> {
        let text = self.machine.ok("cat /var/lib/nagios4/status.dat");
        let mut found = BTreeMap::new();
        for block in text.split("servicestatus {").skip(1) {
            let block = block.split("\n\t}").next().unwrap_or_default();
            let value = |key: &str| {
                let line = block.lines().find_map(|line| line.trim().strip_prefix(&format!("{key}=")));
                line.unwrap_or_default().to_owned()
            };
            let state =
                if value("has_been_checked") == "1" { value("current_state").parse().expect("a state") } else { 9 };
            found.insert((value("host_name"), value("service_description")), (state, value("plugin_output")));
        }
        found
    }

    /// Has all services of a machine checked now.
    fn force(&self, host: &str) {
        self.machine.ok(&format!(
            "n=$(date +%s); printf '[%s] SCHEDULE_FORCED_HOST_CHECK;{host};%s\\n[%s] SCHEDULE_FORCED_HOST_SVC_CHECKS;{host};%s\\n' \
             $n $n $n $n >{COMMANDS}"
        ));
    }

    /// Has the machines' services checked until all are as they should be: OK, but for those.
    #[track_caller]
    pub fn until(&self, hosts: &[&str], but: &[(&str, u8)]) -> BTreeMap<(String, String), (u8, String)> {
        let started = Instant::now();
        let mut forced: Option<Instant> = None;
        loop {
            if forced.is_none_or(|at| at.elapsed() > Duration::from_secs(15)) {
                hosts.iter().for_each(|host| self.force(host));
                forced = Some(Instant::now());
            }
            std::thread::sleep(Duration::from_millis(500));
            let services = self.services();
            let wrong: Vec<_> = services
                .iter()
                .filter(|((_, service), (state, _))| {
                    let wanted = but.iter().find(|(name, _)| name == service).map_or(0, |(_, state)| *state);
                    *state != wanted
                })
                .collect();
            if !services.is_empty() && wrong.is_empty() {
                return services;
            }
            assert!(started.elapsed() < Duration::from_secs(240), "{wrong:#?}");
        }
    }

    /// Waits for a line of its log. What is not told with the first check that finds it (while it is not yet certain that
    /// NRPE answers, nothing is) is told with a later one.
    #[track_caller]
    fn told(&self, line: &str) {
        let found = format!("grep -qF -- '{line}' /var/log/nagios4/nagios.log");
        for _ in 0..8 {
            if self.machine.run(&format!("timeout 15 sh -c \"until {found}; do sleep 0.3; done\"")).succeeded() {
                return;
            }
            self.force(WEB);
        }
        panic!("{line}\n{}", self.machine.ok("tail -n 60 /var/log/nagios4/nagios.log"));
    }
}

#[test]
fn everything_is_watched_and_what_fails_is_told_on_bookworm() {
    if !skip("monitoring on bookworm", &[Need::Boot, Need::Program("ssh-keygen")]) {
        everything_is_watched(Release::Bookworm, true);
    }
}

#[test]
fn everything_is_watched_and_what_fails_is_told_on_trixie() {
    if !skip("monitoring on trixie", &[Need::Boot, Need::Program("ssh-keygen")]) {
        everything_is_watched(Release::Trixie, false);
    }
}

fn everything_is_watched(release: Release, with_backup: bool) {
    let mut watched = Watched::new(release, with_backup);
    let w = &watched;
    let (monitor, web, db, backup) = std::thread::scope(|scope| {
        let mut machines = vec![(release, MONITOR, 50), (Release::Bookworm, WEB, 10), (Release::Trixie, DB, 20)];
        if with_backup {
            machines.push((Release::Trixie, BACKUP, 60));
        }
        let started =
            machines.into_iter().map(|(release, fqdn, number)| scope.spawn(move || w.machine(release, fqdn, number)));
        let started: Vec<_> = started.collect();
        let mut machines = started.into_iter().map(|machine| machine.join().expect("a machine"));
        let mut next = || machines.next();
        (next().expect("the monitor"), next().expect("web"), next().expect("db"), next())
    });
    let mail = Mailbox::open(&watched.fleet, &monitor);
    // The agents try again every minute until the server is there; a test need not wait.
    for machine in [&monitor, &web, &db].into_iter().chain(&backup) {
        // When a backup runs, the test says.
        machine.run("systemctl stop 'pg-backup-*.timer'");
        machine.ok("systemctl is-active pg-agent-exchange.timer pg-agent-status.timer nagios-nrpe-server.service munin-node.service");
        machine.ok("systemctl restart pg-agent-exchange.service && systemctl start pg-agent-status.service");
    }
    // cron may be at it just now.
    monitor.wait_for("setpriv --reuid=munin --regid=munin --init-groups /usr/bin/munin-cron 2>&1", 180);

    // Every service of every machine, and all of them well.
    let nagios = Nagios { machine: &monitor };
    let all = [&[MONITOR, WEB, DB][..], if with_backup { &[BACKUP] } else { &[] }].concat();
    monitor.wait_for(&format!("test -p {COMMANDS} && test -s /var/lib/nagios4/status.dat"), 60);
    if let Some(backup) = &backup {
        backups_are_watched(&nagios, &all, backup, &[&web, &db]);
    }
    let services = nagios.until(&all, &[]);
    if with_backup {
        let of = services.keys().filter(|(of, _)| of == BACKUP).map(|(_, service)| service.as_str());
        let mut wanted = [&IMPLIED[..], &["base: ssh"], &AGES].concat();
        wanted.sort_unstable();
        assert_eq!(of.collect::<Vec<_>>(), wanted);
    }
    for (host, roles) in [
        (MONITOR, &["base: ssh", "monitor: munin"][..]),
        (WEB, &["base: ssh", "nginx: nginx", "web: http", "web: pages"]),
        (DB, &["base: ssh", "db: postgresql"]),
    ] {
        let of: Vec<&str> = services.keys().filter(|(of, _)| of == host).map(|(_, service)| service.as_str()).collect();
        let mut wanted = [&IMPLIED[..], roles].concat();
        wanted.sort_unstable();
        assert_eq!(of, wanted, "{host}");
    }
    let said = |host: &str, service: &str| services[&(host.to_owned(), service.to_owned())].1.clone();
    assert!(said(WEB, "disk").starts_with("DISK OK - "), "{services:#?}");
    assert!(said(DB, "db: postgresql").contains("accepting connections"), "{services:#?}");
    assert!(said(WEB, "updates").contains("no security update waits"), "{services:#?}");

    // nginx stops: the role's people hear of it, nobody else; and that it is well again.
    web.ok("systemctl stop nginx.service");
    nagios.until(&[WEB], &[("nginx: nginx", 2), ("web: pages", 2), ("web: http", 0)]);
    for (contact, service) in [("chidi", "web: pages"), ("dana", "web: pages"), ("alma", "nginx: nginx")] {
        nagios.told(&format!("SERVICE NOTIFICATION: {contact};{WEB};{service};CRITICAL;"));
    }
    assert_eq!(monitor.ok("grep -c 'NOTIFICATION: alma;.*;web: pages' /var/log/nagios4/nagios.log || :"), "0\n");
    web.ok("systemctl start nginx.service");
    nagios.until(&[WEB], &[]);
    nagios.told(&format!("SERVICE NOTIFICATION: chidi;{WEB};web: pages;OK;"));
    mail.has("chidi@example.org", &format!("PROBLEM: {WEB} web: pages is CRITICAL"));
    mail.has("alma@example.org", &format!("PROBLEM: {WEB} nginx: nginx is CRITICAL"));
    mail.has("chidi@example.org", &format!("RECOVERY: {WEB} web: pages is OK"));

    munin_has_values(&monitor, &[&web, &db]);
    if !with_backup {
        roles_alone_have_plugins(&web);
    }
    web_pages(&watched.fleet, &monitor);
    look_at(&monitor);

    // What Nagios refuses does not reach it: it goes on with what it has.
    let pid = monitor.ok("systemctl show -p MainPID --value nagios4.service");
    monitor.tree().write("/etc/nagios4/conf.d/bad.cfg", "define host {\n    host_name bad\n    nonsense 1\n}\n");
    watched.fleet.edit("roles/nginx.toml", "critical = 5\n", "critical = 5\ninterval = \"2m\"\n");
    watched.fleet.publish();
    let refreshed = monitor.run("pg-runtime refresh").all();
    let mark = monitor.run("cat /var/lib/pg/marks/pg-nagios-config").stdout;
    assert!(mark.contains("nagios4 -v"), "{mark}\n{refreshed}");
    assert_eq!(monitor.ok("systemctl show -p MainPID --value nagios4.service"), pid);
    monitor.ok("rm /etc/nagios4/conf.d/bad.cfg; pg-runtime apply");
    monitor.no_marks();

    // The web server leaves the tree, and comes back with another role: one list, one refresh.
    let host = format!("hosts/{WEB}.toml");
    let text = std::fs::read_to_string(watched.fleet.tree().join(&host)).expect("a host");
    watched.fleet.remove(&host);
    watched.fleet.publish();
    monitor.ok("pg-runtime refresh");
    monitor.wait_for("! grep -q web1.example.org /var/lib/nagios4/objects.cache", 60);
    monitor.ok("systemctl start pg-agent-exchange.service");
    let left = if with_backup { "backup1.example.org.pem\n" } else { "" };
    assert_eq!(
        monitor.ok(
            "grep -rl web1.example.org /etc/nagios4 /etc/munin /usr/share/pg/nagios-config /usr/share/pg/munin-config \
                    /var/lib/pg/nrpe/hosts; ls /var/lib/pg/nrpe/hosts"
        ),
        format!("{left}db1.example.org.pem\nmon1.example.org.pem\n")
    );
    if let Some(backup) = &backup {
        backup.ok("pg-runtime refresh && pg-backup-server watch");
        assert_eq!(backup.ok("grep -rl web1.example.org /usr/share/pg/backup-server; true"), "", "expected no more");
        assert!(backup.ok("pg-backup-server list web1.example.org").contains("left the fleet; kept until "));
        backup.ok("test -n \"$(ls /srv/backup/web1.example.org/repo/snapshots)\"");
    }
    watched.fleet.write(&host, text.replace("\"web\"", "\"nginx\"").split("\n[values]").next().expect("a text"));
    watched.fleet.publish();
    monitor.ok("pg-runtime refresh");
    web.ok("pg-runtime refresh; systemctl start pg-agent-exchange.service");
    monitor.wait_for(
        "grep -q web1.example.org /var/lib/nagios4/objects.cache && test -p /var/lib/nagios4/rw/nagios.cmd",
        60,
    );
    let services = nagios.until(&[WEB], &[]);
    let of: Vec<&str> = services.keys().filter(|(of, _)| of == WEB).map(|(_, service)| service.as_str()).collect();
    let mut wanted = [&IMPLIED[..], &["base: ssh", "nginx: nginx"]].concat();
    wanted.sort_unstable();
    assert_eq!(of, wanted);
}

/// A job that never ran is critical, in Nagios; all the rest is well. When it has run, it is well, too.
fn backups_are_watched(nagios: &Nagios, all: &[&str], server: &Machine, clients: &[&Machine]) {
    server.ok("pg-backup-server watch");
    let services = nagios.until(all, &AGES.map(|age| (age, 2)));
    for age in AGES {
        let (_, said) = &services[&(BACKUP.to_owned(), age.to_owned())];
        assert!(said.contains("never backed up"), "{age}: {said}");
    }
    for client in clients {
        let job = client.ok("pg-backup jobs");
        let ran = client.run(&format!("systemctl start pg-backup@{}.service", job.trim()));
        assert!(ran.succeeded(), "{}", client.run("journalctl -u 'pg-backup@*' --no-pager").all());
    }
    server.ok("pg-backup-server watch");
    let services = nagios.until(&[BACKUP], &[]);
    for age in AGES {
        let (_, said) = &services[&(BACKUP.to_owned(), age.to_owned())];
        assert!(said.starts_with("OK - 1 backups, the newest "), "{age}: {said}");
    }
}

/// Where the monitoring server's mail goes: a server at 192.0.2.1 that takes everything.
struct Mailbox {
    file: std::path::PathBuf,
}

/// SMTP (RFC 5321), as much of it as exim asks for: each message is one write at the end of the file.
const SMTP: &str = r#"use Socket; $| = 1; $SIG{CHLD} = 'IGNORE';
socket S, PF_INET, SOCK_STREAM, 0; setsockopt S, SOL_SOCKET, SO_REUSEADDR, 1;
bind S, sockaddr_in(25, INADDR_ANY) or die; listen S, 20;
while (accept C, S) {
    next if fork;
    select((select(C), $| = 1)[0]);
    print C "220 mx\r\n";
    my $text = '';
    while (<C>) {
        if (/^DATA/i) {
            print C "354 go on\r\n";
            while (<C>) { last if /^\.\r?$/; $text .= $_ }
            open F, '>>', $ARGV[0]; syswrite F, "$text\n"; close F; $text = '';
        } elsif (/^RCPT TO:/i) { $text .= $_ } elsif (/^QUIT/i) { print C "221 bye\r\n"; exit }
        print C "250 ok\r\n";
    }
    exit;
}"#;

impl Mailbox {
    /// The monitoring server sends its mail there from now on: that is its administrator's to say, not the role's.
    fn open(fleet: &Fleet, monitor: &Machine) -> Mailbox {
        let file = fleet.tree().join("mail");
        fleet.lab.start(Command::new("perl").arg("-e").arg(SMTP).arg(&file));
        monitor.ok("sed -i -e \"s/^dc_eximconfig_configtype=.*/dc_eximconfig_configtype='satellite'/\" \
                -e \"s/^dc_smarthost=.*/dc_smarthost='192.0.2.1'/\" /etc/exim4/update-exim4.conf.conf && \
             update-exim4.conf && systemctl restart exim4.service");
        Mailbox { file }
    }

    /// Waits for a mail to somebody with this subject.
    #[track_caller]
    fn has(&self, to: &str, subject: &str) {
        let started = Instant::now();
        loop {
            let all = std::fs::read_to_string(&self.file).unwrap_or_default();
            let mut mails = all.split("RCPT TO:");
            if mails.any(|mail| mail.starts_with(&format!("<{to}>")) && mail.contains(&format!("Subject: {subject}"))) {
                return;
            }
            assert!(started.elapsed() < Duration::from_secs(120), "{to}: {subject}:\n{all}");
            std::thread::sleep(Duration::from_millis(300));
        }
    }
}

/// Each plugin of each role has told a number.
fn munin_has_values(monitor: &Machine, others: &[&Machine]) {
    // cron may be at it just now.
    monitor.wait_for("setpriv --reuid=munin --regid=munin --init-groups /usr/bin/munin-cron 2>&1", 180);
    for (host, plugins) in [
        (MONITOR, &["cpu", "df", "load", "memory"][..]),
        (WEB, &["cpu", "load", "memory", "nginx_request", "nginx_status"]),
        (DB, &["cpu", "load", "memory", "postgres_connections_db", "postgres_size_ALL"]),
    ] {
        for plugin in plugins {
            // The last value that came, as it came, of each of its fields.
            let values = monitor.ok(&format!(
                "for rrd in /var/lib/munin/example.org/{host}-{plugin}-*.rrd; do rrdtool lastupdate $rrd | sed -n 's/^[0-9]*: //p'; done"
            ));
            let numbers = values.lines().filter(|value| value.trim().parse::<f64>().is_ok_and(f64::is_finite)).count();
            assert!(numbers > 0, "{plugin} of {host}: {values:?}");
        }
    }
    // Only the server is answered.
    for machine in others {
        let refused = monitor
            .lab()
            .run(&format!("bash -c 'exec 3<>/dev/tcp/{}/4949; echo list >&3; timeout 5 cat <&3'", machine.address()));
        assert!(!refused.stdout.contains("cpu"), "{}", refused.all());
    }
}

/// With `detected_plugins = false`: munin-node's installation found more, as it always does.
fn roles_alone_have_plugins(web: &Machine) {
    let agents = "cpu df df_inode diskstats load memory";
    let wanted = format!("{agents} nginx_request nginx_status open_files processes swap uptime users ");
    assert_eq!(web.ok("ls /etc/munin/plugins | tr '\\n' ' '"), wanted);
    web.ok("test -s /var/lib/pg/munin-detected && pg-runtime verify");
}

/// Who has a login sees both front ends; nobody else does.
fn web_pages(fleet: &Fleet, monitor: &Machine) {
    let client = Tree::client().join(&fleet.lab);
    let login = monitor.ok("SUDO_USER=alma pg-runtime web-login");
    let password = login.lines().find_map(|line| line.strip_prefix("password  ")).expect("a password");
    assert!(login.contains("http://mon1.example.org/nagios4/\nhttp://mon1.example.org/munin/\n"), "{login}");
    let pages = [
        ("/nagios4/", "Nagios"),
        ("/cgi-bin/nagios4/status.cgi?host=all", "web1.example.org"),
        ("/cgi-bin/nagios4/cmd.cgi?cmd_typ=96&host=web1.example.org", "You are requesting to schedule a host check"),
        ("/munin/", "web1.example.org"),
        ("/munin/example.org/db1.example.org/index.html", "postgres_size_ALL"),
    ];
    for (page, text) in pages {
        let ask = |options: &str| {
            client.ok(&format!(
                "curl -s --max-filesize 1000000 -w '\\n%{{http_code}}' {options} 'http://192.0.2.50{page}'"
            ))
        };
        for options in ["", "--digest -u alma:wrong", "--digest -u chidi:", &format!("-u alma:{password}")] {
            let refused = ask(options);
            assert!(refused.ends_with("\n401") && !refused.contains(text), "{page} {options}: {refused}");
        }
        let shown = ask(&format!("--digest -u alma:{password}"));
        assert!(shown.ends_with("\n200") && shown.contains(text), "{page}: {shown}");
    }
}

/// With `DEBROLE_LOOK=DIRECTORY`: screenshots of the pages, by a headless Chromium of the machine that tests, for people.
fn look_at(monitor: &Machine) {
    let Some(directory) = std::env::var_os("DEBROLE_LOOK") else { return };
    let login = monitor.ok("SUDO_USER=alma pg-runtime web-login");
    let password = login.lines().find_map(|line| line.strip_prefix("password  ")).expect("a password");
    for (name, page) in [
        ("nagios", "/cgi-bin/nagios4/status.cgi?host=all&limit=0"),
        ("nagios-tac", "/cgi-bin/nagios4/tac.cgi"),
        ("munin", "/munin/"),
        ("munin-web", "/munin/example.org/web1.example.org/index.html"),
    ] {
        let picture = Path::new(&directory).join(format!("{name}.png"));
        let outcome = monitor.lab().run(&format!(
            "HOME=$(mktemp -d) timeout 60 chromium --headless --no-sandbox --disable-gpu --window-size=1300,1400 \
             --virtual-time-budget=5000 --screenshot={} 'http://alma:{password}@192.0.2.50{page}'",
            picture.display()
        ));
        assert!(picture.exists(), "{}", outcome.all());
    }
}
