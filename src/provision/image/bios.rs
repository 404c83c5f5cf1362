//! GRUB for BIOS: what grub-install(8) does, without a device. The boot sector loads the core image, which lies in the
//! gap before the first partition, and that the rest from /boot/grub.

use super::{ImageError, Volume, file, grub, partition, words, write_at};
use crate::provision::chroot;
use crate::provision::{Firmware, Machine};
use std::fs;
use std::path::Path;

/// Where GRUB's own files are, on the machine.
const DIRECTORY: &str = "boot/grub/i386-pc";

/// The boot sector's code ends where the label's own number and the table begin.
const CODE: usize = 440;
/// In it: a jump that trusts the drive that the BIOS names only if that is a hard disk's. Without it (two NOPs, as
/// grub-bios-setup writes for disks) it always takes the first one then.
const DRIVE_CHECK: usize = 0x66;

/// Puts GRUB's files where it and its package look for them, and gives the core image: the loader's bytes.
pub fn prepare(tree: &Path, machine: &Machine, root: &Volume<'_>) -> Result<Vec<u8>, ImageError> {
    // `boot/grub/i386-pc/core.img` is what grub-pc's postinst goes by when it has a new version to install.
    let script = r#"set -e
from=/usr/lib/grub/i386-pc to=/$1
rm -rf "$to"
mkdir -p "$to" /boot/grub/fonts
cp -p "$from"/*.mod "$from"/*.lst "$to"
cp -p /usr/share/grub/unicode.pf2 /boot/grub/fonts/
[ -e /boot/grub/grubenv ] || grub-editenv /boot/grub/grubenv create
cp "$from/boot.img" "$to/boot.img"
grub-mkimage --directory="$from" -O i386-pc -p "(,$3)/boot/grub" -o "$to/core.img" "$2" part_msdos biosdisk
"#;
    let arguments = [DIRECTORY, grub::module(root.disk.file_system), grub::partition(Firmware::Bios)];
    let output = chroot::inside(tree, script, &arguments).run()?;
    if !output.success() {
        return Err(ImageError::BootLoader { machine: machine.name.clone(), words: words(&output) });
    }
    let path = tree.join(DIRECTORY).join("core.img");
    let core = fs::read(&path).map_err(file("read", &path))?;
    if core.len() as u64 + 512 > partition::FIRST {
        let words =
            format!("GRUB's core image has {} bytes, more than there is before the first partition", core.len());
        return Err(ImageError::BootLoader { machine: machine.name.clone(), words });
    }
    Ok(core)
}

/// Writes the boot sector and the core image, which says itself where it goes on (sector 2, as grub-mkimage assumes).
pub fn write(image: &Path, tree: &Path, core: &[u8]) -> Result<(), ImageError> {
    let path = tree.join(DIRECTORY).join("boot.img");
    let mut boot = fs::read(&path).map_err(file("read", &path))?;
    boot.truncate(CODE);
    if let Some(check) = boot.get_mut(DRIVE_CHECK..DRIVE_CHECK + 2) {
        check.fill(0x90);
    }
    write_at(image, 0, &boot)?;
    write_at(image, 512, core)
}
