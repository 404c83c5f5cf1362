//! What is left of a machine after a role came and went, against a control machine on which the same Debian packages
//! came and went without us. "As before" would be too much to ask: Debian's packages leave things behind themselves.

use super::fleet::{Fleet, Runs};
use crate::machine::{Need, Release, Services, Tree, packages, skip};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

/// What may differ between the two machines: a path (`*` within a component, a final `/**` for all below), and why.
const ALLOWED: &str = include_str!("../../control-machine.allow");

macro_rules! roles {
    ($($role:ident $name:literal)*) => {
        mod bookworm { $(#[test] fn $role() { super::comes_and_goes($name, super::Release::Bookworm); })* }
        mod trixie { $(#[test] fn $role() { super::comes_and_goes($name, super::Release::Trixie); })* }
        #[test]
        fn every_role_is_tested() {
            let roles: Vec<String> =
                packages::role_packages(&packages::example_fleet(), Release::Bookworm).into_keys().collect();
            assert_eq!(roles, [$($name),*]);
        }
    };
}

roles! {
    apt_repo "apt-repo"
    backup "backup"
    base "base"
    db "db"
    git "git"
    hypervisor "hypervisor"
    mail "mail"
    monitor "monitor"
    nginx "nginx"
    web "web"
}

/// update, install, upgrade, remove, autoremove, purge: by real apt, without a warning; and what is left afterwards.
fn comes_and_goes(role: &str, release: Release) {
    if skip(&format!("{role} comes and goes on {}", release.codename()), &[Need::Trees]) {
        return;
    }
    // With the agents and the servers of the monitoring, which take longest, once.
    let mut fleet = if role == "monitor" { Fleet::watched().serve() } else { Fleet::published() };
    let package = format!("pg-role-{role}");

    let machine = fleet.machine_tree(release, "machine.example.org");
    machine.services(Services::Denied);
    let before = installed(&machine);
    fleet.join(&machine, &machine);
    let simulated = machine.apt(&format!("-s install {package}"));
    assert!(!simulated.contains("Remv"), "{simulated}");
    machine.apt(&format!("install {package}"));
    assert!(machine.version(&package).is_some());
    let all = installed(&machine);
    let bound = role == "hypervisor";
    if !bound {
        machine.no_marks();
    }
    machine.run("pg-runtime verify").ok("pg-runtime verify: nothing differs from what was put there");

    // An upgrade: of this role's package alone, but for base's file.
    fleet.edit("roles/base/sshd.conf", "X11Forwarding no\n", "X11Forwarding no\nMaxAuthTries 3\n");
    fleet.edit(&format!("roles/{role}.toml"), "summary = \"", "summary = \"Anew: ");
    fleet.publish();
    let first = machine.version(&package);
    machine.apt("update");
    let upgraded = machine.apt("upgrade");
    assert!(upgraded.contains(" 0 newly installed, 0 to remove and 0 not upgraded"), "{upgraded}");
    assert_ne!(machine.version(&package), first);
    assert!(machine.read("/etc/ssh/sshd_config.d/50-pg-base.conf").contains("MaxAuthTries"));
    machine.run("pg-runtime verify").ok("pg-runtime verify after the upgrade");

    machine.apt(&format!("remove {package}"));
    machine.apt("autoremove");
    machine.apt("purge '?config-files'");
    machine.apt("purge pg-archive-keyring");
    let left: Vec<String> = installed(&machine).into_iter().filter(|name| name.starts_with("pg-")).collect();
    assert!(left.is_empty(), "{left:?}");

    // The control machine: the same Debian packages by way of an empty package that depends on the same.
    let control = fleet.machine_tree(release, "machine.example.org");
    control.services(Services::Denied);
    let wanted: Vec<&String> = all.iter().filter(|name| !before.contains(name) && !name.starts_with("pg-")).collect();
    let direct = &packages::role_packages(fleet.tree(), release)[role];
    let direct: Vec<&str> =
        direct.iter().map(String::as_str).chain(all.contains(&"cron".to_owned()).then_some("cron")).collect();
    let deb = empty_package(&control, &direct.join(", "));
    control.apt(&format!("install {deb}"));
    let there = installed(&control);
    assert!(
        wanted.iter().all(|name| there.contains(name)),
        "the control machine has other packages:\n{wanted:?}\n{there:?}"
    );
    control.apt("remove control");
    control.apt("autoremove");
    control.apt("purge '?config-files'");

    forget_people(&machine);
    let differences = differences(&machine, &control, role);
    assert!(
        differences.is_empty(),
        "after {role} came and went on {}, against the control machine (-: only there, +: only here):\n{}",
        release.codename(),
        differences.join("\n")
    );
}

/// Accounts of people stay when everything of ours has gone, so that nobody else gets their numbers; out of use. Then
/// they are taken away for the comparison.
fn forget_people(machine: &Tree) {
    machine.ok(
        "set -e; for n in $(getent group pg-people | cut -d: -f4 | tr , ' '); do \
         test \"$(getent shadow $n | cut -d: -f8)\" = 1; userdel -r $n 2>/dev/null; done; \
         for g in $(awk -F: '$3 >= 2000 && $3 < 60000 { print $1 } $1 == \"pg-people\" { print $1 }' /etc/group); do groupdel $g; done",
    );
}

fn installed(machine: &Tree) -> Vec<String> {
    let listed = machine.ok("dpkg-query -W -f '${Package} ${db:Status-Status}\\n'");
    listed.lines().filter_map(|line| line.strip_suffix(" installed")).map(str::to_owned).collect()
}

/// A .deb on the machine that has nothing but its dependencies.
fn empty_package(machine: &Tree, depends: &str) -> &'static str {
    machine.write(
        "/tmp/control/DEBIAN/control",
        format!(
            "Package: control\nVersion: 1\nArchitecture: all\nSection: admin\nMaintainer: Tests <root@example.org>\n\
             Depends: {depends}\nDescription: what a role depends on\n"
        ),
    );
    machine.ok("chmod -R go-w /tmp/control && dpkg-deb -b /tmp/control /tmp/control.deb");
    "/tmp/control.deb"
}

/// What one file is: all but its times.
#[derive(Debug, PartialEq, Eq)]
struct Fact {
    mode: u32,
    owner: (u32, u32),
    content: String,
}

fn differences(machine: &Tree, control: &Tree, role: &str) -> Vec<String> {
    let allowed: Vec<&str> = ALLOWED
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| {
            let (pattern, reason) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            assert!(!reason.trim().is_empty(), "tests/control-machine.allow: {pattern} has no reason");
            pattern
        })
        .collect();
    let (here, there) = (facts(&machine.path("/")), facts(&control.path("/")));
    let mut paths: Vec<&String> = here.keys().chain(there.keys()).collect();
    paths.sort();
    paths.dedup();
    paths
        .into_iter()
        .filter(|path| here.get(*path) != there.get(*path))
        .filter(|path| !allowed.iter().any(|pattern| matches(pattern, path)))
        .flat_map(|path| {
            let (a, b) = (there.get(path), here.get(path));
            let mut lines: Vec<String> = Vec::new();
            lines.extend(a.map(|fact| format!("- {path} {fact:?}")));
            lines.extend(b.map(|fact| format!("+ {path} {fact:?}")));
            // The difference itself, where it is text that can be read.
            if a.is_some() && b.is_some() && a.map(|f| &f.content) != b.map(|f| &f.content) {
                let text = Command::new("diff").arg("-a").arg(control.path(path)).arg(machine.path(path)).output();
                lines.extend(text.iter().flat_map(|o| {
                    let text = String::from_utf8_lossy(&o.stdout).into_owned();
                    text.lines().take(12).map(|line| format!("    {line}")).collect::<Vec<_>>()
                }));
            }
            lines
        })
        .chain(
            std::iter::once(role).filter(|_| here.len() < 1000).map(|role| format!("{role}: too few files to be true")),
        )
        .collect()
}

/// Everything below `root` that outlives a boot. Contents are hashed.
fn facts(root: &Path) -> BTreeMap<String, Fact> {
    fn walk(root: &Path, directory: &Path, found: &mut BTreeMap<String, Fact>) {
        for entry in std::fs::read_dir(directory).unwrap_or_else(|e| panic!("{}: {e}", directory.display())).flatten() {
            let path = entry.path();
            let name = format!("/{}", path.strip_prefix(root).expect("below").display());
            if ["/proc", "/sys", "/dev", "/run", "/tmp", "/mnt"].contains(&name.as_str()) {
                continue;
            }
            let meta = path.symlink_metadata().unwrap_or_else(|e| panic!("{name}: {e}"));
            let content = if meta.is_symlink() {
                std::fs::read_link(&path).expect("a symlink").display().to_string()
            } else if meta.is_file() {
                debrole::deb::sha256(&std::fs::read(&path).unwrap_or_else(|e| panic!("{name}: {e}")))
            } else {
                String::new()
            };
            found.insert(name, Fact { mode: meta.mode(), owner: (meta.uid(), meta.gid()), content });
            if meta.is_dir() {
                walk(root, &path, found);
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(root, root, &mut found);
    found
}

/// Whether a pattern of the allow-list is about this path.
fn matches(pattern: &str, path: &str) -> bool {
    if let Some(directory) = pattern.strip_suffix("/**") {
        return path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'));
    }
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some(pattern), Some(path)) if component(pattern, path) => {}
            _ => return false,
        }
    }
}

fn component(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => {
            name.starts_with(head)
                && name.ends_with(tail)
                && name.len() >= head.len() + tail.len()
                && !tail.contains('*')
        }
    }
}

#[test]
fn patterns_of_the_allow_list() {
    assert!(matches("/var/log/**", "/var/log/apt/term.log") && !matches("/var/log/**", "/var/log"));
    assert!(matches("/etc/passwd-", "/etc/passwd-") && !matches("/etc/passwd-", "/etc/passwd"));
    assert!(matches("/etc/ssh/ssh_host_*_key", "/etc/ssh/ssh_host_rsa_key") && !matches("/etc/*", "/etc/a/b"));
}
