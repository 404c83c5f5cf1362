//! GRUB for UEFI: what grub-install(8) does with --force-extra-removable, without a device. Its image is on the EFI
//! system partition twice: where Debian's package has it, which is what that looks for when it has a new version; and
//! where firmware looks by itself, so that no variable of a firmware has to name it.

use super::{ImageError, Volume, copy_at, file, grub, partition, random, words};
use crate::exec::Command;
use crate::provision::chroot;
use crate::provision::{Firmware, Machine};
use std::fs;
use std::io;
use std::path::Path;

const DIRECTORY: &str = "boot/grub/x86_64-efi";

/// A fresh serial number of a FAT file system, eight hexadecimal digits.
pub fn serial() -> io::Result<String> {
    Ok(crate::provision::apt::hex(&random::<4>()?).to_uppercase())
}

/// Puts GRUB's files where it looks for them, and gives its image: the loader's bytes.
pub fn prepare(tree: &Path, machine: &Machine, root: &Volume<'_>) -> Result<Vec<u8>, ImageError> {
    let script = r#"set -e
from=/usr/lib/grub/x86_64-efi to=/$1
rm -rf "$to"
mkdir -p "$to" /boot/grub/fonts /boot/efi
cp -p "$from"/*.mod "$from"/*.lst "$to"
cp -p /usr/share/grub/unicode.pf2 /boot/grub/fonts/
[ -e /boot/grub/grubenv ] || grub-editenv /boot/grub/grubenv create
printf 'search.fs_uuid %s root hd0,%s\nset prefix=($root)'"'/boot/grub'"'\n' "$3" "$4" >"$to/load.cfg"
grub-mkimage --directory="$from" -O x86_64-efi -p /boot/grub -c "$to/load.cfg" -o "$to/core.efi" \
    "$2" part_gpt search_fs_uuid
cp "$to/core.efi" "$to/grub.efi"
"#;
    let partition = grub::partition(Firmware::Uefi);
    let arguments = [DIRECTORY, grub::module(root.disk.file_system), &root.uuid, partition];
    let output = chroot::inside(tree, script, &arguments).run()?;
    if !output.success() {
        return Err(ImageError::BootLoader { machine: machine.name.clone(), words: words(&output) });
    }
    let path = tree.join(DIRECTORY).join("core.efi");
    fs::read(&path).map_err(file("read", &path))
}

/// Makes the EFI system partition.
pub fn write(image: &Path, loader: &[u8], serial: &str, into: &Path) -> Result<(), ImageError> {
    let (esp, efi) = (into.join("esp.tmp"), into.join("grub.tmp"));
    let make = || {
        fs::write(&efi, loader).map_err(file("write", &efi))?;
        let opened = fs::File::create(&esp).map_err(file("make", &esp))?;
        opened.set_len(partition::ESP).map_err(file("write", &esp))?;
        // mtools(1) asks about what it finds unusual; there is nobody to answer.
        let mtools = |program: &str| Command::new(program).env("MTOOLS_SKIP_CHECK", "1").arg("-i").arg(&esp);
        let sectors = (partition::ESP / 512).to_string();
        mtools("mformat")
            .args(["-F", "-c", "1", "-h", "16", "-s", "63", "-T", &sectors, "-H", "2048", "-N", serial, "-v", "EFI"])
            .arg("::")
            .run_ok()?;
        mtools("mmd").args(["::/EFI", "::/EFI/debian", "::/EFI/BOOT"]).run_ok()?;
        for at in ["::/EFI/debian/grubx64.efi", "::/EFI/BOOT/BOOTX64.EFI"] {
            mtools("mcopy").arg(&efi).arg(at).run_ok()?;
        }
        copy_at(&esp, image, partition::FIRST)
    };
    let made = make();
    for path in [&esp, &efi] {
        let _ = fs::remove_file(path);
    }
    made
}
