//! A machine's own tree.

use super::fleet::{FLEET, HOST, Heard, WORD, base_of, identity, machine};
use crate::machine::{Need, Scratch, skip};
use debrole::provision::install::{InstallError, install};
use debrole::provision::{FileSystem, Firmware, Repository};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

const ROOT: &[(&str, u64, FileSystem, &str)] = &[("root", 2048, FileSystem::Ext4, "/")];

fn inside(tree: &Path, command: &str) -> String {
    let output = Command::new("chroot").arg(tree).args(["sh", "-c", command]).output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_tree_is_its_machines_alone_and_has_its_package() {
    if skip("a machine's tree", &[Need::Trees]) {
        return;
    }
    let machine = machine(Firmware::Bios, ROOT);
    let base = base_of(&machine);
    let directory = Scratch::new();
    let into = directory.path().join("tree");
    // What a killed run left.
    std::fs::create_dir_all(directory.path().join("tree.new/etc")).unwrap();
    std::fs::create_dir_all(directory.path().join("tree.apt/lists")).unwrap();
    let identity = identity();
    let repository = FLEET.repository();
    let tree = install(&base, &machine, &identity, &repository, &into, &Heard::default())
        .unwrap_or_else(|e| panic!("{e}"))
        .path;
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["tree"]);

    // Its identity, and nobody else's.
    let key = tree.join("etc/ssh/ssh_host_ed25519_key");
    let data = std::fs::metadata(&key).unwrap();
    assert_eq!((data.permissions().mode() & 0o7777, data.uid()), (0o600, 0));
    assert_eq!(std::fs::read(&key).unwrap(), identity.host_key);
    let keys = inside(&tree, "cd /etc/ssh && echo ssh_host_*");
    assert_eq!(keys, "ssh_host_ed25519_key ssh_host_ed25519_key.pub\n");
    assert_eq!(std::fs::read_to_string(tree.join("etc/machine-id")).unwrap(), "");
    assert_eq!(std::fs::read_to_string(tree.join("etc/hostname")).unwrap(), "made1\n");
    assert!(std::fs::read_to_string(tree.join("etc/hosts")).unwrap().contains(&format!("127.0.1.1 {HOST} made1\n")));
    assert_eq!(inside(&tree, "getent shadow root | cut -d: -f2"), "*\n");
    for gone in ["usr/sbin/policy-rc.d", "etc/resolv.conf", "var/lib/dbus/machine-id", "run/mk"] {
        assert!(!tree.join(gone).exists(), "{gone}");
    }
    let word = tree.join("var/lib/first-boot");
    assert_eq!(std::fs::metadata(&word).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(std::fs::read_to_string(word.join("word")).unwrap(), format!("{WORD}\n"));

    // What it is for: packages, files, services; and what it will ask for more.
    assert_eq!(
        inside(&tree, &format!("dpkg-query -W -f '${{db:Status-Status}}\n' mk-host-{HOST} mk-role-made less")),
        "installed\ninstalled\ninstalled\n"
    );
    assert_eq!(std::fs::read_to_string(tree.join("srv/page/index.txt")).unwrap(), "made\n");
    assert!(tree.join("etc/systemd/system/multi-user.target.wants/made.service").symlink_metadata().is_ok());
    assert!(inside(&tree, "cat /etc/apt/sources.list.d/mk.sources").contains("URIs: http://apt.example.org\n"));
    assert!(inside(&tree, "ls /etc/apt/sources.list.d") == "debian.sources\nmk.sources\n");
    assert!(inside(&tree, "apt-mark showauto").contains("less\n"), "what came along goes with the role");
    // What the role recommends, and not what its packages do.
    assert!(inside(&tree, "apt-mark showauto").contains("tree\n"), "what came along goes with the role");
    assert_eq!(inside(&tree, "dpkg-query -W -f '${db:Status-Status}' man-db 2>/dev/null || echo none"), "none\n");
    // Nothing of how this machine reaches its mirrors.
    let leaked = inside(&tree, "grep -rlE '(cop[y]|fil[e]):/|Acquire::http' /etc || true");
    assert_eq!(leaked, "");

    // A second one in its place, or without what it is made of, is refused.
    let again =
        |repository: &Repository, into: &Path| install(&base, &machine, &identity, repository, into, &Heard::default());
    assert!(matches!(again(&repository, &into), Err(InstallError::There(_))));
    let mut missing = repository.clone();
    missing.packages = vec!["mk-host-nobody.example.org".to_owned()];
    let other = directory.path().join("other");
    let error = again(&missing, &other).unwrap_err().to_string();
    assert!(error.contains("mk-host-nobody.example.org can't be had: Unable to locate package"), "{error}");
    missing.directory = directory.path().join("nowhere");
    let error = again(&missing, &other).unwrap_err().to_string();
    assert!(error.contains("nowhere/dists") && error.contains("debrole build"), "{error}");
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["tree"]);
}
