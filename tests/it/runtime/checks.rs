//! What every machine is asked by the monitoring: `/usr/lib/pg/check`, run by an account without rights, with what it
//! reads made good and bad.

use super::{Host, debian_package, prefix};
use crate::machine::{Need, Release, skip};
use debrole::lower::monitoring;
use debrole::plan::Entry;

struct Checked {
    host: Host,
}

impl Checked {
    fn new() -> Checked {
        let host = Host { tree: crate::machine::Tree::new(Release::Bookworm) };
        for (path, entry) in monitoring::agent_entries(&prefix()) {
            let Entry::File { mode, bytes } = entry else { panic!("{path} is no file") };
            assert_eq!(mode, 0o755);
            host.tree.write(path.as_str(), &bytes);
            host.ok(&format!("chmod 755 {path}"));
        }
        // A machine, not a container, until a test says otherwise.
        host.program("systemd-detect-virt", "exit 1");
        Checked { host }
    }

    /// Runs it as nobody, after some commands of root's.
    #[track_caller]
    fn is(&self, before: &str, check: &str, status: &str, text: &str) {
        let command =
            format!("{before}\nexec setpriv --reuid=nobody --regid=nogroup --clear-groups /usr/lib/pg/check {check}");
        let outcome = self.host.run(&command);
        let number =
            ["OK", "WARNING", "CRITICAL", "UNKNOWN"].iter().position(|word| *word == status).expect("a status");
        let name = check.split(' ').next().unwrap_or_default().to_uppercase();
        assert!(
            outcome.status == number as i32
                && outcome.stdout.starts_with(&format!("{name} {status} - "))
                && outcome.stdout.contains(text)
                && outcome.stdout.lines().count() == 1
                && outcome.stderr.is_empty(),
            "{before}\ncheck {check}: {outcome:#?}\nis not {status} with {text:?}"
        );
    }

    fn age(&self, path: &str, hours: u32) {
        self.host.ok(&format!("mkdir -p $(dirname {path}); touch -d '-{hours} hours' {path}"));
    }
}

impl Host {
    /// A program in the place of the tree's.
    fn program(&self, name: &str, text: &str) {
        self.tree.write(format!("/usr/bin/{name}"), format!("#!/bin/sh\n{text}\n"));
        self.ok(&format!("chmod 755 /usr/bin/{name}"));
    }
}

#[test]
fn what_the_kernel_knows_is_judged_by_thresholds() {
    if skip("checks of the kernel's figures", &[Need::Trees]) {
        return;
    }
    let c = Checked::new();
    for (check, unit) in [("disk", "% space free on /"), ("memory", "% available"), ("load", "for each of")] {
        let (good, warning, critical) =
            if check == "load" { ("9999 9999", "0 9999", "0 0") } else { ("0 0", "100 0", "100 100") };
        c.is("", &format!("{check} {good}"), "OK", unit);
        c.is("", &format!("{check} {warning}"), "WARNING", unit);
        c.is("", &format!("{check} {critical}"), "CRITICAL", unit);
    }
    // A file system of its own, full but for its inodes, and the other way round.
    let disk = "mknod /dev/loop-control c 10 237; for i in 0 1 2 3 4 5 6 7; do mknod /dev/loop$i b 7 $i; done; truncate -s 8M /root/disk; mke2fs -q -F -N 64 /root/disk; mkdir -p '/mnt/a disk'; mount -o loop /root/disk '/mnt/a disk'";
    let fill = "head -c 20M /dev/zero 2>/dev/null >'/mnt/a disk/x' 2>/dev/null";
    c.is(&format!("{disk}; {fill}"), "disk 1 0.5", "CRITICAL", "0% space free on /mnt/a disk");
    let inodes = "for i in $(seq 100); do touch \"/mnt/a disk/$i\"; done 2>/dev/null";
    c.is(&format!("{disk}; {inodes}"), "disk 1 0.5", "CRITICAL", "0% inodes free on /mnt/a disk");
    c.is("", "disk 5 10", "UNKNOWN", "the thresholds 5 and 10 are the wrong way round");
    c.is("", "load 4 2", "UNKNOWN", "the thresholds 4 and 2 are the wrong way round");
    c.is("", "load 4 many", "UNKNOWN", "\"many\" is no threshold");
    let outcome = c.host.run("/usr/lib/pg/check users");
    assert_eq!((outcome.status, outcome.stdout.starts_with("usage: check disk|")), (3, true), "{outcome:?}");
}

#[test]
fn a_newer_kernel_than_the_running_one_waits_for_a_restart() {
    if skip("the check of the kernel", &[Need::Trees]) {
        return;
    }
    let c = Checked::new();
    c.is("", "kernel", "OK", "no kernel is installed here");
    c.host.ok("mkdir -p /boot; touch /boot/vmlinuz-$(uname -r) /boot/vmlinuz-1.0.0-1-amd64");
    c.is("", "kernel", "OK", "is the newest that is installed");
    c.host.ok("touch /boot/vmlinuz-99.1.0-12-amd64 /boot/vmlinuz-99.1.0-9-amd64");
    c.is("", "kernel", "OK", "99.1.0-12-amd64 has waited for a restart for 0 min");
    c.is("", "kernel 0 14", "WARNING", "99.1.0-12-amd64 has waited");
    c.is("", "kernel 0 0", "CRITICAL", "99.1.0-12-amd64 has waited");
    c.host.ok("rm /boot/vmlinuz-99*");
    // Debian's update under the same name.
    let running = c.host.ok("uname -r");
    let image = format!("linux-image-{}", running.trim());
    let newer = debian_package(&c.host, &image, "6.1.200-1", &[("/usr/share/doc/image", "x")], &[]);
    c.host.dpkg("-i", &[&newer]);
    let version = |text: &str| {
        format!(
            "echo 'Linux version 6.1.0-50-amd64 (x) #1 SMP Debian {text} (2026-01-01)' >/root/version; mount --bind /root/version /proc/version"
        )
    };
    c.is(&version("6.1.200-1"), "kernel 0 0", "OK", "is the newest");
    c.is(&version("6.1.199-1"), "kernel 0 0", "CRITICAL", "(6.1.200-1) has waited");
    // A container's is its host's.
    c.host.program("systemd-detect-virt", "exit 0");
    c.is(&version("6.1.199-1"), "kernel 0 0", "OK", "a container");
}

#[test]
fn what_root_wrote_is_judged_by_its_age_too() {
    if skip("checks of stamps and reports", &[Need::Trees]) {
        return;
    }
    let c = Checked::new();
    // Nothing of it is there: a machine whose packages have just come has had no time.
    c.is("", "patcher", "CRITICAL", "unattended-upgrades is not installed");
    for check in ["refresh", "drift", "updates"] {
        c.is("", check, "UNKNOWN", "not installed");
    }
    for package in ["unattended-upgrades", "pg-runtime", "pg-agent"] {
        c.age(&format!("/var/lib/dpkg/info/{package}.list"), 1);
    }
    c.is("", "updates", "OK", "not looked for yet");
    c.is("", "patcher", "OK", "never gone well; installed 60 min ago");
    c.is("", "refresh", "OK", "roles: never, installed 60 min ago; keyring and access: never");
    c.is("", "drift", "OK", "never verified; installed 60 min ago");
    for package in ["unattended-upgrades", "pg-runtime", "pg-agent"] {
        c.age(&format!("/var/lib/dpkg/info/{package}.list"), 100);
    }
    for (check, text) in [
        ("updates", "never looked for: see pg-agent-status.service"),
        ("patcher", "never gone well; installed 4 days ago"),
        ("refresh", "roles: never, installed 4 days ago"),
        ("drift", "never verified"),
    ] {
        c.is("", check, "CRITICAL", text);
    }

    let upgraded = "/var/lib/apt/periodic/unattended-upgrades-stamp";
    c.age(upgraded, 2);
    c.age("/var/lib/apt/periodic/update-stamp", 2);
    c.is("", "patcher", "OK", "last went well 2 h ago");
    c.age("/var/lib/apt/periodic/update-stamp", 80);
    c.is("", "patcher", "CRITICAL", "last went well 2 h ago, but apt's lists are old: 3 days");
    c.age("/var/lib/apt/periodic/update-stamp", 2);
    c.age(upgraded, 40);
    c.is("", "patcher", "WARNING", "last went well 40 h ago");
    c.is("", "patcher 48 96", "OK", "last went well 40 h ago");
    c.age(upgraded, 73);
    c.is("", "patcher", "CRITICAL", "last went well 3 days ago");

    let refresh = |scope: &str, hours: u32, more: &str| {
        c.host.ok(&format!(
            "mkdir -p /var/lib/pg/refresh; printf 'tried 1\\nsucceeded %s\\nresult nothing\\n{more}' $(date -d '-{hours} hours' +%s) >/var/lib/pg/refresh/{scope}"
        ));
    };
    refresh("keyring", 0, "");
    refresh("roles", 3, "");
    c.is("", "refresh", "OK", "last refreshed: roles: 3 h ago; keyring and access: 0 min ago");
    refresh("roles", 13, "failing 1\\nerror no route | host\\n");
    c.is("", "refresh", "WARNING", "roles: 13 h ago (no route / host)");
    refresh("roles", 27, "");
    c.is("", "refresh", "CRITICAL", "roles: 27 h ago");
    refresh("roles", 1, "waiting pg-role-web\\n");
    c.is("", "refresh", "WARNING", "apt keeps back pg-role-web");
    refresh("roles", 1, "");
    refresh("keyring", 30, "");
    c.is("", "refresh", "CRITICAL", "keyring and access: 30 h ago");

    c.host.tree.write("/var/lib/pg/drift", "debrole-drift 1\ntime x\nfound changed: /etc/a (pg-role-web)\n");
    c.is("", "drift", "OK", "verified 0 min ago");
    c.host.tree.write(
        "/var/lib/pg/drift",
        "debrole-drift 1\ntime x\nleft held: changed: /etc/b (x)\nleft changed: /etc/a (pg-role-web)\n",
    );
    c.is("", "drift", "WARNING", "1 difference: changed: /etc/a (pg-role-web)");
    c.host.tree.write("/var/lib/pg/marks/hold", "hold: all until tomorrow\n");
    c.is("", "drift", "WARNING", "1 difference");
    c.host.tree.write("/var/lib/pg/marks/pg-role-web", "validate: \"nginx -t\" failed\nmore\n");
    c.is("", "drift", "CRITICAL", "pg-role-web: validate: \"nginx -t\" failed");
    c.host.ok("rm /var/lib/pg/marks/*");
    c.age("/var/lib/pg/drift", 40);
    c.is("", "drift", "WARNING", "last verified 40 h ago");
}

#[test]
fn failed_units_and_a_clock_that_nobody_sets() {
    if skip("checks of units and the clock", &[Need::Trees]) {
        return;
    }
    let c = Checked::new();
    c.host.program("systemctl", "exit 0");
    c.is("", "units", "OK", "0 failed");
    c.host.program(
        "systemctl",
        "echo 'nginx.service loaded failed failed A web server'; echo 'b.service loaded failed failed B'",
    );
    c.is("", "units", "CRITICAL", "2 failed: nginx.service, b.service");
    c.is("", "units 2 3", "WARNING", "2 failed");
    c.is("", "units 3 3", "OK", "2 failed");
    c.host.program("systemctl", "echo 'Failed to connect to bus' >&2; exit 1");
    c.is("", "units", "UNKNOWN", "Failed to connect to bus");

    let timedatectl = |synchronised: &str, offset: &str| {
        c.host.program(
            "timedatectl",
            &format!("case $1 in show) echo {synchronised} ;; *) printf '       Server: 192.0.2.1\\n{offset}' ;; esac"),
        );
    };
    let up = |seconds: u32| format!("echo '{seconds}.10 1.0' >/root/uptime; mount --bind /root/uptime /proc/uptime");
    timedatectl("yes", "       Offset: +1.234ms\\n");
    c.is("", "clock", "OK", "off by 0.001234 s");
    timedatectl("yes", "       Offset: -812.5ms\\n");
    c.is("", "clock", "WARNING", "off by 0.812500 s");
    timedatectl("yes", "       Offset: +1min 2.5s\\n");
    c.is("", "clock", "CRITICAL", "off by 62.500000 s");
    timedatectl("yes", "");
    c.is("", "clock", "OK", "synchronised");
    timedatectl("no", "");
    c.is(&up(5000), "clock", "CRITICAL", "not synchronised");
    c.is(&up(60), "clock", "OK", "not synchronised yet");
    c.host.program(
        "chronyc",
        "echo 'System time     : 3.000012 seconds slow of NTP time'; echo 'Leap status     : Normal'",
    );
    c.is("", "clock", "CRITICAL", "off by 3.000012 s");
    c.host.program(
        "chronyc",
        "echo 'System time     : 0.0 seconds slow of NTP time'; echo 'Leap status     : Not synchronised'",
    );
    c.is(&up(5000), "clock", "CRITICAL", "not synchronised (chrony)");
    c.host.program("systemd-detect-virt", "exit 0");
    c.is(&up(5000), "clock", "OK", "a container");
}

#[test]
fn security_updates_that_wait_are_counted_from_when_they_were_first_seen() {
    if skip("the check of security updates", &[Need::Trees]) {
        return;
    }
    let c = Checked::new();
    c.age("/var/lib/dpkg/info/pg-agent.list", 100);
    let apt = |lines: &str| {
        c.host.tree.write("/root/inst", lines);
        // Asked for what it would do, with held packages, and nothing else.
        c.host.program("apt-get", "[ \"$*\" = '-qq -s --ignore-hold dist-upgrade' ] || exit 99\ncat /root/inst");
    };
    c.host.ok("chmod 755 /root");
    apt("Inst libx [1] (2 Debian:12.5/stable [amd64])\n");
    c.host.ok("/usr/lib/pg/agent status");
    c.is("", "updates", "OK", "no security update waits");
    let openssl = "Inst openssl [3.0.1] (3.0.2 Debian:12.5/stable, Debian-Security:12/stable-security [amd64]) []\n";
    apt(openssl);
    c.host.ok("/usr/lib/pg/agent status");
    c.is("", "updates", "OK", "1 security update, known for 0 min: openssl");
    c.is("", "updates 0 72", "WARNING", "1 security update");
    // Known for two days; another one that comes now does not begin anew.
    c.host.ok("sed -i \"s/ [0-9]*$/ $(date -d '-40 hours' +%s)/\" /var/lib/pg/monitoring/updates.since");
    apt(&format!("{openssl}Inst curl [7] (8 Debian-Security:12/stable-security [amd64])\n"));
    c.host.ok("/usr/lib/pg/agent status");
    c.is("", "updates", "WARNING", "2 security updates, known for 40 h: curl openssl");
    c.host.ok("sed -i \"s/ [0-9]*$/ $(date -d '-80 hours' +%s)/\" /var/lib/pg/monitoring/updates.since; /usr/lib/pg/agent status");
    c.is("", "updates", "CRITICAL", "known for 3 days");
    // A newer version of the same is an update of its own.
    apt(&openssl.replace("(3.0.2", "(3.0.3"));
    c.host.ok("/usr/lib/pg/agent status");
    c.is("", "updates", "OK", "1 security update, known for 0 min");
    // What apt can't tell is not good news, and does not forget since when.
    c.host.program("apt-get", "echo 'E: The package lists are broken' >&2; exit 100");
    c.host.ok("/usr/lib/pg/agent status; test -s /var/lib/pg/monitoring/updates.since");
    c.is("", "updates", "UNKNOWN", "apt-get can't tell: E: The package lists are broken");
    apt("");
    c.host.ok("/usr/lib/pg/agent status; test ! -e /var/lib/pg/monitoring/updates.since");
    c.is("", "updates", "OK", "no security update");
    c.age("/var/lib/pg/monitoring/updates", 7);
    c.is("", "updates", "CRITICAL", "last looked for 7 h ago");
}
