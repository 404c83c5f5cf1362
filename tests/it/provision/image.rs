//! Disks: judged by the file systems' own programs, and by booting from them.

use super::fleet::{FLEET, Heard, WORD, base_of, identity, machine};
use crate::machine::{Need, Scratch, skip};
use debrole::provision::image::{ImageError, images};
use debrole::provision::install::install;
use debrole::provision::{FileSystem, Firmware, Machine};
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A machine's tree and a directory for its disks.
fn made(machine: &Machine) -> (Scratch, PathBuf) {
    let directory = Scratch::new();
    let base = base_of(machine);
    let tree =
        install(&base, machine, &identity(), &FLEET.repository(), &directory.path().join("tree"), &Heard::default());
    (directory, tree.unwrap_or_else(|e| panic!("{e}")).path)
}

/// What a program says on both of its outputs; the test fails unless it succeeds.
fn judge(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    said
}

/// Runs once the machine has said that it is ready, and again after the restart that it asks for: GRUB and the initramfs
/// are made again by their own packages.
const MAINTENANCE: &str = r#"#!/bin/sh
say() { printf '\n[test] %s\n' "$*" >/dev/console; }
while [ -e /var/lib/first-boot ]; do sleep 1; done
if [ -e /var/lib/maintained ]; then
    say "left: $(ls -d /etc/systemd/system/first-boot* /etc/systemd/system/*.timer.d /etc/systemd/system/*/first-boot* 2>/dev/null | tr '\n' ' ')."
    say "verified: $(mk-runtime verify 2>&1 | tr '\n' ' ')."
    say "mounts: $(findmnt -rno TARGET,FSTYPE --real | sort | tr '\n' ' ')."
    say "page: $(cat /srv/page/index.txt)."
    say "odd: $(cat "/srv/:odd name/a file" 2>&1) $(stat -c %Y "/srv/:odd name/a file")."
    say "sticky: $(stat -c %a /var/tmp /srv/sticky | tr '\n' ' ')."
    say "keys: $(sshd -T | grep '^hostkey ' | tr '\n' ' ')."
    say "timers: $(systemctl is-active apt-daily.timer mk-refresh.timer | tr '\n' ' ')."
    say done
    exit 0
fi
cp /boot/grub/grub.cfg /var/lib/before.cfg
for package in openssh-server grub-pc grub-efi-amd64; do
    dpkg -s $package >/dev/null 2>&1 || continue
    said=$(dpkg-reconfigure -f noninteractive $package 2>&1) || say "$package: $said"
    printf '%s\n' "$said" | grep -q 'No error reported' && say "$package: installed again"
done
update-initramfs -u >/dev/null 2>&1 || say "update-initramfs failed"
update-grub >/dev/null 2>&1 || say "update-grub failed"
# The firmware's own menu can be had only where there is that firmware.
for cfg in /var/lib/before.cfg /boot/grub/grub.cfg; do sed '/BEGIN .*30_uefi-firmware/,/END .*30_uefi-firmware/d' $cfg >/run/${cfg##*/}; done
say "configuration: $(diff /run/before.cfg /run/grub.cfg | tr '\n' ' ')."
touch /var/lib/maintained
say again
sync
systemctl --no-block reboot
"#;

fn prepare(tree: &Path) {
    let script = tree.join("usr/local/sbin/maintenance");
    fs::write(&script, MAINTENANCE).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(
        tree.join("etc/systemd/system/maintenance.service"),
        "[Service]\nType=exec\nExecStart=/usr/local/sbin/maintenance\n",
    )
    .unwrap();
    std::os::unix::fs::symlink(
        "/etc/systemd/system/maintenance.service",
        tree.join("etc/systemd/system/multi-user.target.wants/maintenance.service"),
    )
    .unwrap();
    let odd = tree.join("srv/:odd name");
    fs::create_dir_all(&odd).unwrap();
    fs::write(odd.join("a file"), "odd\n").unwrap();
    judge("touch", &["-d", "@981158400", odd.join("a file").to_str().unwrap()]);
    fs::create_dir_all(tree.join("srv/sticky")).unwrap();
    fs::set_permissions(tree.join("srv/sticky"), fs::Permissions::from_mode(0o1777)).unwrap();
}

/// QEMU, emulating, with nothing between it and the disks; ends with this.
struct Guest {
    qemu: Child,
    console: PathBuf,
}

impl Guest {
    fn start(directory: &Path, disks: &[PathBuf], firmware: Firmware) -> Guest {
        let console = directory.join("console");
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args(["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "qemu64,-svm", "-smp", "2", "-m", "1024"]);
        qemu.args(["-display", "none", "-monitor", "none", "-nic", "none", "-device", "virtio-rng-pci"]);
        qemu.arg("-serial").arg(format!("file:{}", console.display()));
        if firmware == Firmware::Uefi {
            let variables = directory.join("variables");
            fs::copy("/usr/share/OVMF/OVMF_VARS_4M.fd", &variables).unwrap();
            qemu.args(["-drive", "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd", "-drive"]);
            qemu.arg(format!("if=pflash,format=raw,file={}", variables.display()));
        }
        for disk in disks {
            qemu.arg("-drive").arg(format!("if=virtio,format=raw,cache=unsafe,file={}", disk.display()));
        }
        let qemu = qemu.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Guest { qemu, console }
    }

    fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.console).unwrap_or_default()).replace('\r', "")
    }

    /// Waits until a line is on the console.
    fn wait(&mut self, line: &str) -> String {
        let until = Instant::now() + Duration::from_secs(900);
        loop {
            let said = self.said();
            if said.lines().any(|l| l == line) {
                return said;
            }
            let lost = said.lines().any(|l| l.starts_with(&format!("[debrole {WORD}] failed")));
            let ended = self.qemu.try_wait().unwrap();
            if lost || ended.is_some() || Instant::now() > until {
                let tail: Vec<&str> = said.lines().rev().take(40).collect();
                panic!("no line {line:?} ({ended:?}):\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
            }
            std::thread::sleep(Duration::from_millis(300));
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        drop(self.qemu.kill());
        drop(self.qemu.wait());
    }
}

/// Boots from the disks, has GRUB and the initramfs made again, and boots from that.
fn boots_and_is_maintained(directory: &Path, disks: &[PathBuf], firmware: Firmware, mounts: &str) {
    let mut guest = Guest::start(directory, disks, firmware);
    let said = guest.wait(&format!("[debrole {WORD}] ready"));
    for line in ["begin", "check system OK up", "check units OK none has failed", "check packages OK applied"] {
        assert!(said.lines().any(|l| l == format!("[debrole {WORD}] {line}")), "{line}: {said}");
    }
    let said = guest.wait("[test] again");
    // Its own GRUB package knew where to install itself, and its configuration is the same as before.
    let package = if firmware == Firmware::Bios { "grub-pc" } else { "grub-efi-amd64" };
    for line in [format!("[test] {package}: installed again"), "[test] configuration: .".to_owned()] {
        assert!(said.lines().any(|l| l == line), "{line}: {said}");
    }
    let said = guest.wait("[test] done");
    for line in [
        "left: .",
        "verified: .",
        "page: made.",
        "odd: odd 981158400.",
        "sticky: 1777 1777 .",
        // Debian's package makes others when it is configured again; nobody is shown them.
        "keys: hostkey /etc/ssh/ssh_host_ed25519_key .",
        "timers: active active .",
        mounts,
    ] {
        assert!(said.lines().any(|l| l == format!("[test] {line}")), "{line}: {said}");
    }
}

#[test]
fn disks_for_bios_boot_and_grub_s_own_package_keeps_them_booting() {
    let needs =
        [Need::Trees, Need::Program("qemu-system-x86_64"), Need::Program("sfdisk"), Need::Program("mkfs.btrfs")];
    if skip("disks for BIOS", &needs) {
        return;
    }
    let machine = machine(
        Firmware::Bios,
        &[
            ("root", 2048, FileSystem::Ext4, "/"),
            ("srv", 256, FileSystem::Btrfs, "/srv"),
            ("log", 320, FileSystem::Xfs, "/var/log"),
        ],
    );
    let (directory, tree) = made(&machine);
    prepare(&tree);
    let into = directory.path().join("images");
    let made = images(&tree, &machine, &into, &Heard::default()).unwrap_or_else(|e| panic!("{e}"));
    let paths: Vec<PathBuf> = made.iter().map(|image| image.path.clone()).collect();
    assert_eq!(paths, ["root", "srv", "log"].map(|name| into.join(format!("{name}.img"))));
    assert_eq!(fs::read_dir(&into).unwrap().count(), 3, "nothing but the images is left");
    let [root, srv, log] = [0, 1, 2].map(|n| paths[n].to_str().unwrap());
    let data = fs::metadata(root).unwrap();
    assert_eq!(data.len(), 2 << 30);
    assert!(data.blocks() * 512 < 1 << 30, "it has holes");

    let partition = format!("{root}?offset=1048576");
    judge("e2fsck", &["-f", "-n", &partition]);
    judge("btrfs", &["check", srv]);
    judge("xfs_repair", &["-n", "-f", log]);
    // What is another disk's is there and not here.
    let listed = judge("debugfs", &["-R", "ls -p /srv", &partition]);
    assert!(!listed.contains("page"), "{listed}");
    let listed = judge("debugfs", &["-R", "ls -p /etc/ssh", &partition]);
    assert!(listed.contains("/100600/0/0/ssh_host_ed25519_key/"), "{listed}");
    assert!(listed.matches("ssh_host_").count() == 2, "{listed}");
    assert!(judge("xfs_db", &["-f", "-c", "path /apt", "-c", "ls", log]).contains("history.log"));

    let mut before = vec![0_u8; 1 << 20];
    fs::File::open(root).unwrap().read_exact_at(&mut before, 0).unwrap();
    boots_and_is_maintained(directory.path(), &paths, Firmware::Bios, "mounts: / ext4 /srv btrfs /var/log xfs .");
    // What the machine's own grub-install wrote is what was written by hand, but for the numbers that it picks itself.
    let mut after = vec![0_u8; 1 << 20];
    fs::File::open(root).unwrap().read_exact_at(&mut after, 0).unwrap();
    assert_eq!(before[440..512], after[440..512], "the label and the table");
    assert_eq!(before[..3], after[..3], "the boot sector's jump");
    assert_eq!(before[0x5a..440], after[0x5a..440], "the boot sector's code");
    // Its last entry: where the core image goes on (8 bytes), how many sectors, and where to. Each puts other modules in.
    assert_eq!(after[512..1020], before[512..1020], "the core image's first sector");
    assert_eq!(after[1022..1024], before[1022..1024], "the segment that the core image is loaded to");
    for sectors in [&before[1020..1022], &after[1020..1022]] {
        let sectors = u16::from_le_bytes(sectors.try_into().unwrap());
        assert!((1..2047).contains(&sectors), "{sectors} sectors before the first partition");
    }
}

#[test]
fn disks_for_uefi_boot_and_grub_s_own_package_keeps_them_booting() {
    let needs = [
        Need::Trees,
        Need::Program("qemu-system-x86_64"),
        Need::Program("sfdisk"),
        Need::Program("mformat"),
        Need::Program("mkfs.xfs"),
    ];
    if skip("disks for UEFI", &needs) {
        return;
    }
    let disks = &[("root", 2048, FileSystem::Xfs, "/"), ("data", 256, FileSystem::Btrfs, "/data/of one")];
    let (mut machine, refused) = (machine(Firmware::Uefi, disks), "/usr/share");
    let (directory, tree) = made(&machine);
    let into = directory.path().join("images");
    let error = images(&tree, &machine, &into, &Heard::default()).unwrap_err();
    assert!(matches!(error, ImageError::Mount { .. }), "{error}");
    machine.disks[1].mount = refused.to_owned();
    let error = images(&tree, &machine, &into, &Heard::default()).unwrap_err().to_string();
    assert!(
        error.contains("the disk \"data\" can't be mounted at /usr/share: that has to be on the root disk"),
        "{error}"
    );
    machine.disks[1].mount = "/data".to_owned();
    // Times and extended attributes are as they were, or it says no.
    let capable = tree.join("usr/local/sbin/capable");
    fs::write(&capable, "").unwrap();
    let capability = [1_u8, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    rustix::fs::setxattr(&capable, "security.capability", &capability, rustix::fs::XattrFlags::empty()).unwrap();
    let error = images(&tree, &machine, &into, &Heard::default()).unwrap_err().to_string();
    assert!(error.contains("/usr/local/sbin/capable on it has extended attributes"), "{error}");
    assert_eq!(fs::read_dir(&into).unwrap().count(), 0, "images of a failure are left");
    fs::remove_file(&capable).unwrap();

    prepare(&tree);
    let made = images(&tree, &machine, &into, &Heard::default()).unwrap_or_else(|e| panic!("{e}"));
    let paths: Vec<PathBuf> = made.iter().map(|image| image.path.clone()).collect();
    let root = paths[0].to_str().unwrap();
    assert!(judge("sfdisk", &["--verify", root]).contains("No errors detected"));
    let esp = format!("{root}@@1M");
    for loader in ["::/EFI/BOOT/BOOTX64.EFI", "::/EFI/debian/grubx64.efi"] {
        judge("mdir", &["-i", &esp, loader]);
    }
    boots_and_is_maintained(directory.path(), &paths, Firmware::Uefi, "mounts: / xfs /boot/efi vfat /data btrfs .");
}
