//! A machine that is made beside the example's monitoring and backup servers: they know it from its first minute, and
//! forget it when it goes.

use super::site::{Site, WEB, outcome};
use crate::example::monitoring::{BACKUP, COMMANDS, IMPLIED, MONITOR, Nagios, Watched};
use crate::machine::{Need, Release, skip};

/// Whoever runs the program has this home, for ssh(1), which goes by what passwd says.
fn home(site: &Site) -> String {
    let directory = site.directory.path();
    let home = directory.join("home");
    std::fs::create_dir_all(home.join(".ssh")).expect("writable");
    let (key, known) = (directory.join("key"), directory.join("known_hosts"));
    std::fs::write(&known, format!("{WEB} {}\n", site.host_key())).expect("writable");
    let config = format!(
        "Host {WEB}\n  HostName 192.0.2.10\n  HostKeyAlias {WEB}\n  User alma\n  IdentityFile {}\n  IdentitiesOnly yes\n  \
         UserKnownHostsFile {}\n  StrictHostKeyChecking yes\n",
        key.display(),
        known.display()
    );
    std::fs::write(home.join(".ssh/config"), config).expect("writable");
    let passwd = std::fs::read_to_string("/etc/passwd").expect("readable");
    let others = passwd.lines().filter(|line| !line.starts_with("root:")).map(|line| format!("{line}\n"));
    let passwd = format!("root:x:0:0:root:{}:/bin/sh\n{}", home.display(), others.collect::<String>());
    std::fs::write(directory.join("passwd"), passwd).expect("writable");
    format!("mount --bind {}/passwd /etc/passwd", directory.display())
}

#[test]
fn a_machine_that_is_made_is_green_in_nagios_and_backed_up_before_it_goes() {
    let needs = [Need::Boot, Need::Program("socat"), Need::Program("ssh-keygen"), Need::Program("ssh")];
    if skip("a machine made beside monitoring and backups", &needs) {
        return;
    }
    let mut watched = Watched::new(Release::Bookworm, true);
    // Nobody boots it here: it would be missed.
    watched.fleet.remove("hosts/db1.example.org.toml");
    watched.fleet.publish();
    let (monitor, backup) = std::thread::scope(|scope| {
        let backup = scope.spawn(|| watched.machine(Release::Trixie, BACKUP, 60));
        (watched.machine(Release::Bookworm, MONITOR, 50), backup.join().expect("the backup server"))
    });
    let site = Site::of(watched.fleet);
    // There was another machine of this name, whose key is published: the new one takes its place.
    let old = site.host_key();
    site.write_host(WEB, "192.0.2.10", "accel = [\"nspawn\"]");
    site.fleet.edit(&format!("hosts/{WEB}.toml"), "\"192.0.2.10\"", "\"192.0.2.10\", \"2001:db8::10\"");
    site.fleet.edit(&format!("hosts/{WEB}.toml"), "\n[vm]\n", &format!("ssh_host_key = \"{old}\"\n\n[vm]\n"));
    site.ok(&["provision", WEB, "--here", "--no-gate"]);
    // There are no name servers in the test's network.
    let names = format!("192.0.2.1 apt.example.org\n192.0.2.50 {MONITOR}\n192.0.2.60 {BACKUP}\n");
    site.ssh(&format!("printf '{}' | sudo -n tee -a /etc/hosts", names.replace('\n', "\\n"))).ok("hosts");
    monitor.ok("pg-runtime refresh");
    backup.ok("pg-runtime refresh");
    site.ssh(
        "sudo -n pg-runtime refresh; sudo -n systemctl stop 'pg-backup-*.timer'; \
              sudo -n systemctl restart pg-agent-exchange.service && sudo -n systemctl start pg-agent-status.service",
    )
    .ok("the agents");
    let failed = site.ssh("sudo -n systemctl list-units --state=failed --plain --no-legend --no-pager | cut -d' ' -f1 | while read -r unit; do sudo -n journalctl -n 40 --no-pager -u \"$unit\"; done");
    assert_eq!(failed.ok("failed units"), "");
    monitor.wait_for(&format!("grep -q {WEB} /var/lib/nagios4/objects.cache && test -p {COMMANDS}"), 60);
    let services = Nagios { machine: &monitor }.until(&[WEB], &[(&*format!("backup: {WEB} web_www"), 2)]);
    let of: Vec<&str> = services.keys().filter(|(of, _)| of == WEB).map(|(_, service)| service.as_str()).collect();
    let mut wanted = [&IMPLIED[..], &["base: ssh", "nginx: nginx", "web: http", "web: pages"]].concat();
    wanted.sort_unstable();
    assert_eq!(of, wanted);

    // A last backup of what only this machine has; then it goes.
    site.ssh("echo mine | sudo -n tee /srv/www/mine.txt").ok("a file");
    let mut deprovision = site.prepared(&home(&site), &["deprovision", WEB, "--backup", "--yes", "--no-gate"]);
    let gone = outcome(&mut deprovision);
    assert!(gone.succeeded() && gone.all().contains("is backed up"), "{}", gone.all());
    assert!(!site.fleet.tree().join(format!("hosts/{WEB}.toml")).exists());
    monitor.ok("pg-runtime refresh");
    monitor.wait_for(&format!("! grep -q {WEB} /var/lib/nagios4/objects.cache"), 60);
    backup.ok("pg-runtime refresh && pg-backup-server watch");
    let list = backup.ok(&format!("pg-backup-server list {WEB}"));
    assert!(list.contains("left the fleet; kept until "), "{list}");
    backup.ok(&format!("test -n \"$(ls /srv/backup/{WEB}/repo/snapshots)\""));
}
