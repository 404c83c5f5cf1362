//! `pg-runtime refresh` and its timers: our packages alone, whoever else is at apt, whatever the network does.

use super::fleet::{Fleet, Runs};
use crate::machine::{Machine, Need, Release, Services, Tree, skip};

use std::io::Write;
use std::time::Instant;

macro_rules! on_both_releases {
    ($($need:ident $test:ident)*) => {
        mod bookworm { $(#[test] fn $test() { super::on(stringify!($test), super::Need::$need, super::Release::Bookworm, super::$test); })* }
        mod trixie { $(#[test] fn $test() { super::on(stringify!($test), super::Need::$need, super::Release::Trixie, super::$test); })* }
    };
}

on_both_releases! {
    Trees ours_alone_come_with_what_they_need_and_keep_their_marks
    Trees apts_locks_are_waited_for_or_not_needed
    Trees a_network_that_goes_leaves_the_machine_as_it_is
    Trees an_interrupted_dpkg_is_repaired_first
    Boot timers_fire_by_themselves_and_cost_little
    Boot unattended_upgrades_and_refreshes_do_not_meet
}

fn on(test: &str, need: Need, release: Release, body: fn(Release)) {
    if !skip(&format!("{test} ({})", release.codename()), &[need]) {
        body(release);
    }
}

const ROLE: &str = "summary = \"Small\"\n[[file]]\npath = \"/etc/small\"\ncontent = \"VERSION\\n\"\n";

/// A fleet with a role that needs nothing of Debian's, and a machine that has it.
struct Small {
    fleet: Fleet,
    machine: Tree,
}

impl Small {
    fn new(release: Release) -> Small {
        let fleet = Fleet::example();
        fleet.write("roles/small.toml", &ROLE.replace("VERSION", "1"));
        let fleet = fleet.serve();
        let machine = fleet.machine_tree(release, "machine.example.org");
        machine.services(Services::Denied);
        fleet.join(&machine, &machine);
        machine.apt("install pg-role-small");
        Small { fleet, machine }
    }

    /// Publishes the role with this in its file, and with more keys.
    fn publish(&mut self, text: &str, more: &str) {
        let role = ROLE.replace("summary = \"Small\"\n", &format!("summary = \"Small\"\n{more}"));
        self.fleet.write("roles/small.toml", &role.replace("VERSION", text));
        self.fleet.publish();
    }

    fn small(&self) -> String {
        self.machine.read("/etc/small")
    }

    /// A value of the state file that the manual documents.
    fn state(&self, scope: &str, name: &str) -> String {
        state(&self.machine.read(format!("/var/lib/pg/refresh/{scope}")), name)
    }

    /// A Debian package that is not as it should be, by hand: NAME_VERSION.deb in /root.
    fn deb(&self, name: &str, version: &str, more: &str, files: &str) {
        self.machine.ok(&format!(
            "set -e; rm -rf /root/new; mkdir -p /root/new/DEBIAN; cd /root/new
            printf 'Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Tests <root@example.org>\nDescription: a test\n' >DEBIAN/control
            {more}
            {files}
            dpkg-deb -b /root/new /root/{name}_{version}.deb >/dev/null"
        ));
    }
}

/// The values of NAME in a state file's text, a line each.
fn state(text: &str, name: &str) -> String {
    let lines = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    lines.collect::<Vec<_>>().join("\n")
}

fn ours_alone_come_with_what_they_need_and_keep_their_marks(release: Release) {
    let mut small = Small::new(release);
    let machine = &small.machine;
    // Something of Debian's could be upgraded, and is not.
    small.deb("netbase", "0.1", "", "");
    let machine = {
        machine.ok("dpkg -i /root/netbase_0.1.deb && apt-mark auto pg-role-small pg-runtime");
        assert!(machine.ok("apt-get -s upgrade").contains("Inst netbase [0.1]"));
        &small.machine
    };
    assert_eq!(machine.ok("pg-runtime refresh"), "pg-runtime: nothing to do\n");
    let (keyring, runtime) = (machine.version("pg-archive-keyring"), machine.version("pg-runtime"));

    // The role with a new dependency, and everything else with another home page.
    small.publish("2", "depends = [\"cron\"]\n");
    small.fleet.edit("debrole.toml", "https://www.example.org/", "https://www.example.org/fleet/");
    small.fleet.publish();
    let machine = &small.machine;
    let said = machine.ok("pg-runtime refresh --keyring");
    assert!(said.contains("upgrading: pg-archive-keyring \n"), "{said}");
    assert_ne!(machine.version("pg-archive-keyring"), keyring);
    assert_eq!((machine.version("pg-runtime"), small.small().as_str()), (runtime.clone(), "1\n"), "only the keyring");
    assert_eq!(small.state("keyring", "result"), "done");

    machine.ok("pg-runtime refresh --all");
    assert_ne!(machine.version("pg-runtime"), runtime);
    assert_eq!(small.small(), "2\n");
    assert!(machine.version("cron").is_some(), "a new dependency comes");
    assert_eq!(machine.version("netbase").as_deref(), Some("0.1"), "what is Debian's stays");
    let marks = machine.ok("apt-mark showauto pg-role-small pg-runtime cron; apt-mark showmanual pg-archive-keyring");
    assert_eq!(marks, "cron\npg-role-small\npg-runtime\npg-archive-keyring\n");
    assert_eq!(small.state("roles", "result"), "done");
    assert_eq!(small.state("roles", "waiting") + &small.state("roles", "error"), "");
    assert_eq!(machine.ok("pg-runtime refresh; pg-runtime refresh --keyring"), "pg-runtime: nothing to do\n".repeat(2));
    let status = machine.ok("pg-runtime status");
    assert!(status.contains("refresh of roles: last succeeded ") && !status.contains("failing"), "{status}");

    // What it can't bring is said, and does not stop the rest.
    small.publish("3", "depends = [\"cron (>= 99)\"]\n");
    let said = small.machine.ok("pg-runtime refresh");
    assert!(said.contains("apt keeps back: pg-role-small"), "{said}");
    assert_eq!(small.state("roles", "waiting"), "pg-role-small");
    assert!(small.machine.ok("pg-runtime status").contains("    kept back: pg-role-small\n"));
    small.publish("4", "");
    small.machine.ok("pg-runtime refresh");
    assert_eq!((small.small().as_str(), small.state("roles", "waiting").as_str()), ("4\n", ""));
    // A hold is somebody's word.
    small.machine.ok("apt-mark hold pg-role-small");
    small.publish("5", "");
    small.machine.ok("pg-runtime refresh");
    assert_eq!((small.small().as_str(), small.state("roles", "waiting").as_str()), ("4\n", "pg-role-small"));
    small.machine.ok("apt-mark unhold pg-role-small; pg-runtime refresh");
    assert_eq!(small.small(), "5\n");
    assert_eq!(small.machine.version("netbase").as_deref(), Some("0.1"));
}

/// Holds a lock as apt and dpkg do (fcntl(2)), in the background, for some seconds.
fn hold(lock: &str, seconds: u32) -> String {
    format!(
        "perl -MFcntl -e 'open F, q(>>), q({lock}) or die; \
         my $l = pack(q(s s x4 q q i x4), F_WRLCK, 0, 0, 0, 0); fcntl(F, F_SETLK, $l) or die $!; sleep {seconds}' & sleep 0.3; "
    )
}

fn apts_locks_are_waited_for_or_not_needed(release: Release) {
    let mut small = Small::new(release);
    small.machine.ok("pg-runtime refresh; pg-runtime refresh --keyring");
    let mut number = 1;
    // Held as long as the refresh takes: not needed.
    for lock in ["/var/lib/apt/lists/lock", "/var/cache/apt/archives/lock"] {
        number += 1;
        small.publish(&number.to_string(), "");
        small.machine.ok(&format!("{} pg-runtime refresh --wait 0", hold(lock, 600)));
        assert_eq!(small.small(), format!("{number}\n"), "{lock}");
    }
    // Held by somebody who ends: waited for. Held too long: tried at the next firing.
    for lock in ["/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock"] {
        number += 1;
        small.publish(&number.to_string(), "");
        let refused = small.machine.run(&format!("{} pg-runtime refresh --wait 1", hold(lock, 600)));
        assert_eq!(refused.status, 75, "{lock}: {}", refused.all());
        assert_eq!(small.small(), format!("{}\n", number - 1), "{lock}");
        assert_eq!(small.state("roles", "result"), "busy");
        assert!(small.state("roles", "error").contains("lock"), "{}", small.state("roles", "error"));
        assert!(!small.state("roles", "succeeded").is_empty(), "of the time before");
        small.machine.ok(&format!("{} pg-runtime refresh", hold(lock, 4)));
        assert_eq!(small.small(), format!("{number}\n"), "{lock}");
        assert_eq!((small.state("roles", "result"), small.state("roles", "failing")), ("done".into(), String::new()));
    }
    // All four, by a real apt that takes its time with something else. Nothing to do needs none of them.
    let apt = "apt-get -y -o DPkg::Pre-Invoke::='touch /run/at-it; sleep 5' install cron >/root/apt 2>&1 & \
               while [ ! -e /run/at-it ]; do sleep 0.1; done; ";
    let started = small.machine.run(&format!("{apt} pg-runtime refresh --wait 0; wait"));
    assert!(started.succeeded() && started.stdout.ends_with("nothing to do\n"), "{}", started.all());
    small.machine.ok("apt-get -y purge cron; rm /run/at-it");
    number += 1;
    small.publish(&number.to_string(), "");
    let both = small.machine.run(&format!("{apt} pg-runtime refresh && wait $!"));
    assert!(both.succeeded() && both.stdout.contains("waiting: "), "{}", both.all());
    assert_eq!(small.small(), format!("{number}\n"));
    assert!(small.machine.version("cron").is_some(), "{}", small.machine.read("/root/apt"));
    // And two of ours.
    number += 1;
    small.publish(&number.to_string(), "");
    let two = small.machine.ok(
        "pg-runtime refresh >/root/one & pg-runtime refresh --keyring >/root/two; wait $!; cat /root/one /root/two",
    );
    assert!(two.contains("upgrading: pg-role-small \n"), "{two}");
    assert_eq!(small.small(), format!("{number}\n"));
    // Nothing is kept that was fetched.
    assert_eq!(small.machine.ok("find /var/cache/pg -name '*.deb'"), "");
}

/// A proxy on the machine that passes on what is asked of the repository, but for packages, which it cuts in the
/// middle.
const CUT: &str = r#"
use IO::Socket::INET;
my $listen = IO::Socket::INET->new(LocalAddr => "127.0.0.1:8081", Listen => 5, ReuseAddr => 1) or die;
while (my $client = $listen->accept) {
    my $request = "";
    while (my $line = <$client>) { $request .= $line unless $line =~ /^(Connection|Proxy)/i; last if $line eq "\r\n" }
    my ($path) = $request =~ m{^GET (?:http://[^/]*)?(\S+)};
    my $server = IO::Socket::INET->new("192.0.2.1:80") or die;
    $request =~ s{^GET \S+ HTTP/1.1\r\n}{GET $path HTTP/1.1\r\nConnection: close\r\n};
    print $server $request;
    local $/;
    my $answer = <$server>;
    $answer = substr($answer, 0, length($answer) / 2) if $path =~ /\.deb$/;
    print $client $answer;
    close $client;
}
"#;

fn a_network_that_goes_leaves_the_machine_as_it_is(release: Release) {
    let mut small = Small::new(release);
    small.machine.ok("pg-runtime refresh");
    small.publish("2", "");
    let version = small.machine.version("pg-role-small");

    // In the middle of the package.
    small.machine.write("/root/cut.pl", CUT);
    let proxy = "-c 'echo \"Acquire::http::Proxy \\\"http://127.0.0.1:8081\\\"; Acquire::Retries \\\"0\\\";\" >/etc/apt/apt.conf.d/99cut'";
    small.machine.ok(&format!("sh {proxy}"));
    let cut = small.machine.run("perl /root/cut.pl & sleep 0.3; pg-runtime refresh");
    assert_eq!(cut.status, 1, "{}", cut.all());
    assert_eq!(small.state("roles", "result"), "failed");
    assert!(small.state("roles", "error").contains("pg-role-small"), "{}", small.state("roles", "error"));
    assert!(!small.state("roles", "failing").is_empty() && !small.state("roles", "succeeded").is_empty());
    assert_eq!((small.machine.version("pg-role-small"), small.small().as_str()), (version.clone(), "1\n"));
    assert_eq!(small.machine.ok("dpkg --audit"), "");
    assert!(small.machine.ok("pg-runtime status").contains("failing since"));

    // Nobody answers at all; what came before the cut is no use, but no harm either.
    let gone = small.machine.run("pg-runtime refresh");
    assert_eq!(gone.status, 1, "{}", gone.all());
    assert!(small.state("roles", "error").contains("127.0.0.1:8081"), "{}", small.state("roles", "error"));
    assert_eq!(small.small(), "1\n");

    // It is back.
    small.machine.ok("rm /etc/apt/apt.conf.d/99cut; pg-runtime refresh");
    assert_eq!((small.small().as_str(), small.state("roles", "result").as_str()), ("2\n", "done"));
    assert_eq!(small.state("roles", "failing") + &small.state("roles", "error"), "");
    small.fleet.lab.stop_all();
    assert_eq!(small.machine.run("pg-runtime refresh --keyring").status, 1);
    assert_eq!(small.state("keyring", "result"), "failed");
}

fn an_interrupted_dpkg_is_repaired_first(release: Release) {
    let mut small = Small::new(release);
    small.machine.ok("pg-runtime refresh");
    // A power cut between unpacking and configuring, with a question that nobody could answer at night.
    let conffile = "mkdir etc; echo theirs VERSION >etc/asking.conf; echo /etc/asking.conf >DEBIAN/conffiles;";
    small.deb("asking", "1", &conffile.replace("VERSION", "1"), "");
    small.deb("asking", "2", &conffile.replace("VERSION", "2"), "");
    small.machine.ok("dpkg -i /root/asking_1.deb; echo mine >/etc/asking.conf; dpkg --unpack /root/asking_2.deb");
    small.publish("2", "");
    let said = small.machine.ok("pg-runtime refresh --wait 0");
    assert!(said.contains("dpkg was interrupted: configuring asking \n") && said.contains("in order again"), "{said}");
    assert_eq!((small.machine.version("asking").as_deref(), small.small().as_str()), (Some("2"), "2\n"));
    assert_eq!(small.machine.ok("cat /etc/asking.conf"), "mine\n");
    // Also where nothing of ours is new.
    small.machine.ok("dpkg --unpack /root/asking_2.deb");
    small.machine.ok("pg-runtime refresh --keyring");
    assert_eq!(small.machine.ok("dpkg --audit"), "");

    // One that can't be configured: ours come all the same, and it is said, and not tried again and again.
    let failing = "printf '#!/bin/sh\\necho try >>/root/tries\\n[ ! -e /root/broken ]\\n' >DEBIAN/postinst; chmod 755 DEBIAN/postinst;";
    small.deb("failing", "1", failing, "");
    small.machine.ok("touch /root/broken; dpkg -i /root/failing_1.deb || true");
    small.publish("3", "");
    let outcome = small.machine.run("pg-runtime refresh");
    assert_eq!(outcome.status, 1, "{}", outcome.all());
    assert_eq!(small.small(), "3\n", "{}", outcome.all());
    let error = small.state("roles", "error");
    assert!(error.contains("leaves failing"), "{error}");
    let tries = small.machine.ok("wc -l </root/tries");
    assert_eq!(small.machine.run("pg-runtime refresh").status, 1);
    assert_eq!((small.machine.ok("wc -l </root/tries"), small.state("roles", "error")), (tries, error));
    // Somebody mends it.
    small.machine.ok("rm /root/broken; dpkg --configure -a; pg-runtime refresh");
    assert_eq!((small.state("roles", "result"), small.state("roles", "error")), ("nothing".into(), String::new()));
}

/// Bytes that the machine's interface has sent and received.
fn traffic(machine: &Machine) -> u64 {
    let counters = machine.ok("cat /sys/class/net/host0/statistics/rx_bytes /sys/class/net/host0/statistics/tx_bytes");
    counters.lines().map(|line| line.parse::<u64>().expect("a counter")).sum()
}

/// The most that a refresh with nothing to do may cost on a busy test machine; it takes about a tenth of both.
const SECONDS: f64 = 1.0;
const BYTES: u64 = 20_000;

fn timers_fire_by_themselves_and_cost_little(release: Release) {
    let fleet = Fleet::example();
    let text = fleet.tree().join("debrole.toml");
    let text = std::fs::read_to_string(text).expect("a fleet") + "\n[refresh]\nkeyring = \"1m\"\nroles = \"1m\"\n";
    fleet.write("debrole.toml", &text);
    fleet.write("roles/small.toml", &ROLE.replace("VERSION", "1"));
    let mut fleet = fleet.serve();
    let mut machine = fleet.boot(release, "machine.example.org", 10);
    machine.apt("install pg-role-small");
    assert_eq!(machine.ok("systemctl is-active pg-refresh.timer pg-refresh-keyring.timer"), "active\nactive\n");
    let (keyring, started) = (machine.version("pg-archive-keyring"), Instant::now());
    fleet.write("roles/small.toml", &ROLE.replace("VERSION", "2"));
    fleet.edit("debrole.toml", "https://www.example.org/", "https://www.example.org/fleet/");
    fleet.publish();
    let wait = |what: &str, seconds: u64| {
        machine.wait_for(what, seconds);
        started.elapsed().as_secs()
    };
    let old = keyring.expect("it joined");
    let keyring = wait(&format!("[ \"$(dpkg-query -W -f '${{Version}}' pg-archive-keyring)\" != {old} ]"), 70);
    let roles = wait(
        "grep -q 2 /etc/small && systemctl show -p ActiveState --value pg-refresh.service | grep -q inactive",
        150,
    );
    assert_eq!(machine.ok("systemctl --failed --no-legend"), "");
    machine.wait_for("grep -q '^result nothing' /var/lib/pg/refresh/keyring", 70);

    // With nothing to do.
    machine.ok("systemctl stop pg-refresh.timer pg-refresh-keyring.timer; pg-runtime refresh --wait 100");
    let (before, clock) = (traffic(&machine), Instant::now());
    machine.ok("pg-runtime refresh");
    let (seconds, bytes) = (clock.elapsed().as_secs_f64(), traffic(&machine) - before);
    drop(writeln!(
        std::io::stderr(),
        "refresh on {}: the keyring came after {keyring} s (of 60), roles after {roles} s (of 60); nothing to do: {seconds:.2} s, {bytes} bytes",
        release.codename()
    ));
    assert!(seconds < SECONDS && bytes < BYTES, "{seconds} s, {bytes} bytes");

    machine.reboot();
    assert_eq!(machine.ok("systemctl is-active pg-refresh.timer pg-refresh-keyring.timer"), "active\nactive\n");
    // An administrator's word, and going.
    machine.ok("systemctl stop pg-refresh.timer && systemctl mask pg-refresh.timer");
    fleet.edit("debrole.toml", "https://www.example.org/fleet/", "https://www.example.org/");
    fleet.publish();
    machine.ok("systemctl stop pg-refresh-keyring.timer; pg-runtime refresh --wait 100");
    assert_eq!(machine.run("systemctl is-enabled pg-refresh.timer").stdout, "masked\n", "an upgrade leaves it so");
    assert_eq!(machine.run("systemctl is-active pg-refresh.timer").stdout, "inactive\n");
    machine.ok("systemctl unmask pg-refresh.timer");
    machine.apt("purge pg-role-small pg-runtime");
    assert_eq!(machine.ok("find / -xdev -name '*pg-refresh*' ! -path '/var/log/*'; ls -d /var/cache/pg /var/lib/pg 2>/dev/null || true"), "");
    assert_eq!(machine.ok("systemctl --failed --no-legend; systemctl list-timers --all --no-legend 'pg-*'"), "");
}

fn unattended_upgrades_and_refreshes_do_not_meet(release: Release) {
    let fleet = Fleet::example();
    fleet.write("roles/small.toml", &ROLE.replace("VERSION", "1"));
    let mut fleet = fleet.serve();
    let machine = fleet.boot(release, "machine.example.org", 10);
    machine.apt("install pg-role-base pg-role-small");
    // When they run is this test's business.
    machine.ok("systemctl stop apt-daily.timer apt-daily-upgrade.timer pg-refresh.timer pg-refresh-keyring.timer");
    let mut publish = |text: &str, more: &str| {
        let role = ROLE.replace("summary = \"Small\"\n", &format!("summary = \"Small\"\n{more}"));
        fleet.write("roles/small.toml", &role.replace("VERSION", text));
        fleet.publish();
    };
    // Whoever runs dpkg takes his time.
    let slow = "printf 'DPkg::Pre-Invoke { \"touch /run/at-it; sleep 4\"; };\n' >/etc/apt/apt.conf.d/99slow; rm -f /run/at-it; ";
    let at_it = "while [ ! -e /run/at-it ]; do sleep 0.1; done; ";
    let clean = |what: &str| {
        let log = machine.ok("cat /var/log/unattended-upgrades/unattended-upgrades.log");
        assert!(!log.contains("kept back") && !log.contains("ERROR"), "{what}: {log}");
        assert_eq!(machine.ok("dpkg --audit"), "", "{what}");
        let left = machine.ok("apt-get update -qq; apt-get -s upgrade");
        assert!(left.contains("0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded"), "{what}: {left}");
        machine.no_marks();
    };

    // It would, and does, bring all of ours with a new dependency of Debian's, and holds nothing back.
    publish("2", "depends = [\"cron\"]\n");
    machine.ok("apt-get -qq update");
    let dry = machine.ok("unattended-upgrade --dry-run --verbose 2>&1");
    assert!(dry.contains("pg-role-small") && !dry.contains("kept back"), "{dry}");
    assert_eq!(machine.ok("cat /etc/small"), "1\n");
    // A refresh meanwhile waits, and then has nothing to do.
    let both = machine
        .ok(&format!("{slow} unattended-upgrade --verbose >/root/uu 2>&1 & {at_it} pg-runtime refresh && wait $!"));
    assert!(both.contains("waiting: "), "{both}");
    assert_eq!(machine.ok("cat /etc/small"), "2\n");
    assert!(machine.version("cron").is_some());
    let said = machine.ok("cat /root/uu");
    assert!(said.contains("All upgrades installed"), "{said}");
    clean("unattended-upgrades first");

    // The other way about: the daily upgrade waits, and has nothing to do afterwards.
    publish("3", "depends = [\"cron\"]\n");
    let daily = "rm -f /var/lib/apt/periodic/upgrade-stamp; systemctl start apt-daily-upgrade.service";
    machine
        .ok(&format!("{slow} apt-get -qq update; pg-runtime refresh >/root/refresh 2>&1 & {at_it} {daily}; wait $!"));
    assert_eq!(machine.ok("cat /etc/small"), "3\n");
    let log = machine.ok("cat /var/log/unattended-upgrades/unattended-upgrades.log");
    assert_eq!(log.matches("Starting unattended upgrades script").count(), 3, "{log}");
    assert!(
        log.trim_end().ends_with("No packages found that can be upgraded unattended and no pending auto-removals"),
        "{log}"
    );
    clean("a refresh first");

    // And again the first way, by the daily upgrade.
    publish("4", "depends = [\"cron\"]\n");
    let both = machine.ok(&format!("{slow} apt-get -qq update; ({daily}) & {at_it} pg-runtime refresh && wait $!"));
    assert!(both.contains("waiting: apt's daily run is under way\npg-runtime: nothing to do\n"), "{both}");
    assert_eq!(machine.ok("cat /etc/small"), "4\n");
    clean("the daily upgrade first");
}
