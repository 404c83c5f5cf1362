//! Base trees: what is in them, and when they are made anew.

use super::fleet::{Heard, base_of, cache, machine};
use crate::machine::{Need, skip};
use debrole::provision::base::{BaseRequest, base};
use debrole::provision::{FileSystem, Firmware};
use std::path::Path;
use std::process::Command;

const ROOT: &[(&str, u64, FileSystem, &str)] = &[("root", 2048, FileSystem::Ext4, "/")];

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_base_boots_and_has_nothing_of_any_machine() {
    if skip("a base tree", &[Need::Trees]) {
        return;
    }
    let base = base_of(&machine(Firmware::Bios, ROOT));
    let tree = &base.tree;
    let boot = names(&tree.join("boot"));
    for start in ["vmlinuz-", "initrd.img-"] {
        assert!(boot.iter().any(|name| name.starts_with(start)), "{boot:?}");
    }
    assert!(names(&tree.join("etc/ssh")).iter().all(|name| !name.starts_with("ssh_host_")));
    assert_eq!(std::fs::read_to_string(tree.join("etc/machine-id")).unwrap(), "");
    for gone in [
        "etc/hostname",
        "etc/resolv.conf",
        "etc/apt/apt.conf.d/99mmdebstrap",
        "etc/dpkg/dpkg.cfg.d/99mmdebstrap",
        "etc/apt/sources.list",
    ] {
        assert!(!tree.join(gone).exists(), "{gone}");
    }
    let shadow = std::fs::read_to_string(tree.join("etc/shadow")).unwrap();
    for line in shadow.lines() {
        let password = line.split(':').nth(1).unwrap();
        assert!(["*", "!", "!*"].contains(&password), "{line}");
    }
    let sources = std::fs::read_to_string(tree.join("etc/apt/sources.list.d/debian.sources")).unwrap();
    assert!(sources.contains("Suites: bookworm-security\n"), "{sources}");
    // The initramfs is for the root's file system and a virtual disk.
    let initrd = boot.iter().find(|name| name.starts_with("initrd.img-")).unwrap();
    let listed = Command::new("chroot").arg(tree).arg("lsinitramfs").arg(format!("/boot/{initrd}")).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    for (module, there) in [("virtio_blk.ko", true), ("btrfs.ko", false), ("e1000.ko", false)] {
        assert_eq!(listed.contains(module), there, "{module} in the initramfs");
    }
}

#[test]
fn a_base_is_made_again_when_apt_has_an_upgrade_for_it_and_used_when_the_mirror_is_away() {
    if skip("the cache of base trees", &[Need::Trees]) {
        return;
    }
    let directory = tempfile::Builder::new().prefix("bases-").tempdir_in(cache().parent().unwrap()).unwrap();
    // By a keyring that is not Debian's in name.
    let keys = tempfile::tempdir().unwrap();
    let keyring = keys.path().join("site.pgp");
    std::fs::copy("/usr/share/keyrings/debian-archive-keyring.gpg", &keyring).unwrap();
    let mut machine = machine(Firmware::Bios, ROOT);
    machine.release.keyring = Some(keyring.clone());
    let mut wanted = BaseRequest::of(&machine, true);
    // What a killed run leaves is no base and does no harm.
    std::fs::create_dir_all(directory.path().join("new/root/etc")).unwrap();
    let heard = Heard::default();
    let first = base(directory.path(), &wanted, &heard).unwrap_or_else(|e| panic!("{e}"));
    assert!(heard.all().contains("making the base tree"), "{}", heard.all());
    assert!(!directory.path().join("new").exists());
    let tree = first.tree.clone();
    assert!(!tree.join("boot/grub").exists(), "a container has no boot loader");
    // The machine's own apt goes on with it.
    assert_eq!(std::fs::read(tree.join("etc/apt/keyrings/mirror.pgp")).unwrap(), std::fs::read(&keyring).unwrap());
    let sources = std::fs::read_to_string(tree.join("etc/apt/sources.list.d/debian.sources")).unwrap();
    assert_eq!(sources.matches("Signed-By: /etc/apt/keyrings/mirror.pgp\n").count(), 3, "{sources}");

    // Nothing has moved.
    let heard = Heard::default();
    assert_eq!(base(directory.path(), &wanted, &heard).unwrap().tree, tree);
    assert_eq!(heard.all(), "Base: Debian bookworm");

    // A suite has moved, but with nothing that is in the base.
    let state = tree.parent().unwrap().join("state");
    let signed = std::fs::read_to_string(&state).unwrap();
    std::fs::write(&state, "another").unwrap();
    assert_eq!(base(directory.path(), &wanted, &Heard::default()).unwrap().tree, tree);
    assert_eq!(std::fs::read_to_string(&state).unwrap(), signed);

    // With something that is. The old one stays for as long as somebody copies it.
    std::fs::write(&state, "another").unwrap();
    let status = tree.join("var/lib/dpkg/status");
    let text = std::fs::read_to_string(&status).unwrap();
    let (before, after) = text.split_once("Package: ca-certificates\n").unwrap();
    let line = after.lines().find(|line| line.starts_with("Version: ")).unwrap();
    std::fs::write(&status, format!("{before}Package: ca-certificates\n{}", after.replacen(line, "Version: 0.1-1", 1)))
        .unwrap();
    let heard = Heard::default();
    let second = base(directory.path(), &wanted, &heard).unwrap();
    assert!(heard.all().contains("making the base tree"), "{}", heard.all());
    assert_ne!(second.tree, tree);
    assert!(tree.exists());
    drop(first);
    let tree_now = second.tree.clone();
    drop(second);
    assert_eq!(base(directory.path(), &wanted, &Heard::default()).unwrap().tree, tree_now);
    assert!(!tree.exists(), "the old base is still there");

    // Without its mirror (its package lists stand for another one's: the same tree, that can't be asked).
    let lists = std::fs::read_dir(directory.path().join("apt")).unwrap().next().unwrap().unwrap().path();
    let conf = lists.join("etc/apt.conf.d/away");
    std::fs::write(&conf, "Acquire::http::Proxy \"http://127.0.0.1:9/\";\nAcquire::https::Proxy \"http://127.0.0.1:9/\";\nAcquire::Retries \"0\";\n")
        .unwrap();
    let heard = Heard::default();
    assert_eq!(base(directory.path(), &wanted, &heard).unwrap().tree, tree_now);
    assert!(heard.all().contains("the mirror can't be asked"), "{}", heard.all());
    assert!(heard.all().contains("less than an hour ago"), "{}", heard.all());
    // Not for ever.
    let old = Command::new("touch").args(["-d", "8 days ago"]).arg(tree_now.parent().unwrap().join("state")).status();
    assert!(old.unwrap().success());
    let error = base(directory.path(), &wanted, &Heard::default()).unwrap_err().to_string();
    assert!(error.contains("apt can't fetch the package lists from"), "{error}");
    std::fs::remove_file(conf).unwrap();

    // A mirror that is none.
    for source in &mut wanted.release.sources {
        source.uri = "http://127.0.0.1:9/debian".to_owned();
    }
    let error = base(directory.path(), &wanted, &Heard::default()).unwrap_err().to_string();
    assert!(
        error.contains("http://127.0.0.1:9/debian") && error.contains("check the mirror in debrole.toml"),
        "{error}"
    );
    assert!(names(directory.path()).iter().all(|name| !name.contains("new")), "{:?}", names(directory.path()));
}

/// A file system of its own, gone when this is.
struct Small(tempfile::TempDir);

impl Small {
    fn new(size: &str) -> Small {
        let directory = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "debrole-test"])
            .arg(directory.path())
            .status();
        assert!(mounted.unwrap().success());
        Small(directory)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(self.0.path()).status());
    }
}

#[test]
fn a_full_disk_is_named_and_nothing_half_made_stays() {
    if skip("a base tree on a full disk", &[Need::Trees]) {
        return;
    }
    let small = Small::new("200m");
    let wanted = BaseRequest::of(&machine(Firmware::Bios, ROOT), true);
    let error = base(small.0.path(), &wanted, &Heard::default()).unwrap_err().to_string();
    assert!(error.contains("no base tree of Debian bookworm was made"), "{error}");
    assert!(error.contains("MiB of space left in ") && error.contains("make room"), "{error}");
    assert_eq!(names(small.0.path()), ["apt", "debs", "lock"]);
}
