//! GRUB's configuration, made by its own update-grub: what boots first is what the machine makes again with its next
//! kernel.
//!
//! grub-mkconfig asks grub-probe(8) for the disk below `/`, which is not there yet. In the private view of the tree in
//! which it runs here, another program stands for that and answers what grub-probe will say on the machine.

use super::{ImageError, Volume, file, words};
use crate::provision::chroot::{self, Mount};
use crate::provision::{FileSystem, Firmware, Machine};
use std::fs;
use std::path::Path;

/// A second to stop it on the console; the serial line, and the screen where there is one.
const SETTINGS: &str = "\
# A virtual machine: its console is the first serial line.
GRUB_TIMEOUT=1
GRUB_TERMINAL=serial
GRUB_SERIAL_COMMAND=\"serial --unit=0 --speed=115200\"
GRUB_CMDLINE_LINUX=\"console=tty0 console=ttyS0,115200n8\"
";

/// As grub-probe names file systems; also GRUB's module for it.
pub fn module(file_system: FileSystem) -> &'static str {
    match file_system {
        FileSystem::Ext4 => "ext2",
        FileSystem::Btrfs => "btrfs",
        FileSystem::Xfs => "xfs",
    }
}

/// The partition of the root disk that the root is on, in GRUB's words.
pub fn partition(firmware: Firmware) -> &'static str {
    match firmware {
        Firmware::Bios => "msdos1",
        Firmware::Uefi => "gpt2",
    }
}

/// Writes `etc/default/grub.d/machine.cfg` and, by update-grub, `boot/grub/grub.cfg`.
pub fn configure(tree: &Path, machine: &Machine, root: &Volume<'_>) -> Result<(), ImageError> {
    let settings = tree.join("etc/default/grub.d/machine.cfg");
    for directory in [tree.join("etc/default/grub.d"), tree.join("boot/grub")] {
        fs::create_dir_all(&directory).map_err(file("make", &directory))?;
    }
    fs::write(&settings, SETTINGS).map_err(file("write", &settings))?;
    let (number, table) = match machine.firmware {
        Firmware::Bios => (1, "msdos"),
        Firmware::Uefi => (2, "gpt"),
    };
    let probe = PROBE
        .replace("@DEVICE@", &format!("/dev/vda{number}"))
        .replace("@PARTITION@", partition(machine.firmware))
        .replace("@TABLE@", table)
        .replace("@FS@", module(root.disk.file_system))
        .replace("@UUID@", &root.uuid);
    let script = r#"
printf '%s' "$1" >"$root/run/grub-probe"
chmod 0755 "$root/run/grub-probe"
mount -o remount,exec "$root/run"
mount --bind "$root/run/grub-probe" "$root/usr/sbin/grub-probe"
# Where there is no such link, the kernel would be told the device's name instead of the file system's UUID.
mkdir -p "$root/dev/disk/by-uuid"
: >"$root/dev/disk/by-uuid/$2"
exec chroot "$root" update-grub
"#;
    let output = chroot::beside(tree, Mount::default(), script, &[&probe, &root.uuid]).run()?;
    let made = tree.join("boot/grub/grub.cfg");
    let text = fs::read_to_string(&made).unwrap_or_default();
    if !output.success() || !text.contains(&format!("root=UUID={}", root.uuid)) {
        return Err(ImageError::BootLoader { machine: machine.name.clone(), words: words(&output) });
    }
    Ok(())
}

/// Answers grub-probe(8)'s questions about `/` and what is below it, all on one partition. An empty answer is one: no
/// RAID, no LVM, no encryption below it, and no hints for a virtio disk.
const PROBE: &str = r#"#!/bin/sh
for argument; do
    case $argument in
    --target=*) target=${argument#--target=} ;;
    -t) next=yes ;;
    *) [ -z "${next-}" ] || target=$argument; next= ;;
    esac
done
case $target in
device) echo @DEVICE@ ;;
fs) echo @FS@ ;;
fs_uuid) echo @UUID@ ;;
partmap) echo @TABLE@ ;;
drive) echo '(hd0,@PARTITION@)' ;;
abstraction | cryptodisk_uuid | fs_label | partuuid) ;;
compatibility_hint | hints_string | bios_hints | efi_hints | baremetal_hints) ;;
*) exit 1 ;;
esac
"#;
