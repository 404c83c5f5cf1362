//! What Nagios itself says of its files, on real Debians.

use super::{fleet, original, with};
use crate::access::{TODAY, read, user};
use crate::machine::{Need, Release, Services, Tree, skip};
use debrole::plan::Entry;
use std::time::Instant;

/// Puts the files of Nagios into the tree, and has it look at them: the numbers of what it found.
fn judged(tree: &Tree, files: &[(&'static str, String)]) -> Vec<(String, usize)> {
    let read = read(files, TODAY).right();
    let payload = "/usr/share/pg/nagios-config/files/etc/nagios4/pg/";
    for (path, entry) in &read.deb("pg-nagios-config", tree.release().codename()).entries {
        if let (Some(name), Entry::File { bytes, .. }) = (path.as_str().strip_prefix(payload), entry) {
            tree.write(format!("/etc/nagios4/pg/{name}"), &**bytes);
        }
    }
    let said = tree.ok("nagios4 -v /etc/nagios4/pg/nagios.cfg");
    assert!(said.contains("Total Warnings: 0\n") && said.contains("Total Errors:   0\n"), "{said}");
    let lines = said.lines().filter_map(|line| line.trim().strip_prefix("Checked "));
    lines
        .filter_map(|line| line.trim_end_matches('.').split_once(' '))
        .map(|(number, what)| (what.to_owned(), number.parse().unwrap()))
        .collect()
}

fn count(found: &[(String, usize)], what: &str) -> usize {
    found.iter().find(|(name, _)| name == what).unwrap_or_else(|| panic!("no {what} in {found:?}")).1
}

/// A fleet like that of a large project: `hosts` machines, 70 roles, 300 checks.
fn large(hosts: usize) -> Vec<(&'static str, String)> {
    let name = |text: String| -> &'static str { text.leak() };
    let kept =
        ["debrole.toml", "ledger.toml", "users/", "groups/", "roles/base.toml", "roles/monitor.toml", "hosts/mon1"];
    let mut files: Vec<_> =
        fleet().into_iter().filter(|(path, _)| kept.iter().any(|kept| path.starts_with(kept))).collect();
    for role in 0..70 {
        let mut text = format!("summary = \"Role {role}\"\n[monitoring]\ncontacts = [\"webteam\"]\n");
        for check in (0..300).filter(|check| check % 70 == role) {
            text.push_str(&format!(
                "[[check]]\nname = \"check-{check}\"\ncommand = \"/usr/lib/nagios/plugins/check_procs -c {{critical}}\"\ncritical = {check}\n"
            ));
        }
        files.push((name(format!("roles/role{role}.toml")), text));
    }
    for host in 0..hosts {
        let roles: Vec<String> = (0..11).map(|n| format!("\"role{}\"", (host * 3 + n * 6) % 70)).collect();
        let mut blob = [0_u8; 32];
        blob[..8].copy_from_slice(&(host as u64 + 1).to_be_bytes());
        let key = debrole::ssh_key::encode(&[&b"\0\0\0\x0bssh-ed25519\0\0\0\x20"[..], &blob].concat());
        let parents =
            if host % 10 == 0 { String::new() } else { format!("parents = [\"m{}.example.org\"]\n", host / 10 * 10) };
        let text = format!(
            "roles = [\"base\", {}]\nrelease = \"bookworm\"\naddresses = [\"10.0.{}.{}\"]\nssh_host_key = \"ssh-ed25519 {key}\"\n[monitoring]\n{parents}",
            roles.join(", "),
            host / 250,
            host % 250 + 1,
        );
        files.push((name(format!("hosts/m{host}.example.org.toml")), text));
    }
    files
}

fn judge(release: Release) {
    if skip("what Nagios says of its files", &[Need::Trees]) {
        return;
    }
    let tree = Tree::new(release).with_debian();
    tree.services(Services::Denied);
    tree.ok("apt-get -qq -y install --no-install-recommends nagios4-core >/dev/null");
    tree.ok("mkdir -p /etc/nagios4/pg /etc/nagios4/conf.d");
    let found = judged(&tree, &fleet());
    // Five machines, each with eleven checks but for one that is skipped; three of each web machine, one of the database.
    assert_eq!((count(&found, "hosts"), count(&found, "services")), (5, 5 * 11 - 1 + 2 * 3 + 1), "{found:?}");
    // On each machine, what NRPE is asked depends on its own NRPE, and on no other's. (For checks and for mails.)
    assert_eq!(count(&found, "service dependencies"), 2 * (5 * 10 - 1 + 2 + 1), "{found:?}");
    let all = original("debrole.toml")
        + "period = \"work\"\n[[monitoring.escalation]]\nafter = 2\ncontacts = [\"webteam\"]\nperiod = \"nights\"\n\
           [monitoring.periods.work]\ndays = [\"monday-friday 09:00-12:00,13:00-17:30\"]\n\
           [monitoring.periods.nights]\ndays = [\"sunday-saturday 00:00-06:00\", \"monday 22:00-24:00\"]\n";
    let bob = user(2002, "Bob", "email = \"bob@example.org\"\nexpires = 2030-02-28\n");
    let found = judged(&tree, &with(&[("debrole.toml", &all), ("users/bob.toml", &bob)]));
    assert_eq!(count(&found, "service escalations"), count(&found, "services"), "{found:?}");
    assert_eq!((count(&found, "host escalations"), count(&found, "time periods")), (5, 4), "{found:?}");
    // The judge judges.
    let broken = tree.read("/etc/nagios4/pg/services.cfg").replace("nrpe!machine_disk", "no_such_command");
    tree.write("/etc/nagios4/pg/services.cfg", broken);
    assert!(!tree.run("nagios4 -v /etc/nagios4/pg/nagios.cfg").succeeded());
    let files = large(300);
    let started = Instant::now();
    let found = judged(&tree, &files);
    println!("{} services of 300 machines compiled and judged in {:?}", count(&found, "services"), started.elapsed());
    assert!(count(&found, "services") > 16_000 && count(&found, "service dependencies") > 2 * 14_000, "{found:?}");
}

#[test]
fn nagios_accepts_what_is_compiled_without_a_warning() {
    judge(Release::Bookworm);
}

#[test]
fn nagios_of_the_next_release_does_too() {
    judge(Release::Trixie);
}
