//! Partition tables, by sfdisk(8).

use super::{ImageError, file};
use crate::exec::Command;
use crate::provision::Firmware;
use std::path::Path;

const MIB: u64 = 1 << 20;

/// Where the first partition begins: what every partitioner does since disks have sectors of 4 KiB, and room for GRUB's
/// core image.
pub const FIRST: u64 = MIB;

/// The EFI system partition: GRUB takes 200 kB of it, and a 32-bit FAT needs 65,525 clusters.
pub const ESP: u64 = 64 * MIB;

/// Where the root file system begins on a disk of this size and how long it is, in bytes.
pub fn root(firmware: Firmware, size: u64) -> (u64, u64) {
    let start = match firmware {
        Firmware::Bios => FIRST,
        Firmware::Uefi => FIRST + ESP,
    };
    // GPT has its second copy at the disk's end. Whole MiB, so that all blocks are aligned.
    let end = match firmware {
        Firmware::Bios => size,
        Firmware::Uefi => size - MIB,
    };
    (start, (end - start) / MIB * MIB)
}

/// Writes the table; sfdisk leaves alone what is outside of it.
pub fn write(firmware: Firmware, image: &Path) -> Result<(), ImageError> {
    let size = std::fs::metadata(image).map_err(file("read", image))?.len();
    let (start, length) = root(firmware, size);
    let (start, length) = (start / 512, length / 512);
    let script = match firmware {
        Firmware::Bios => format!("label: dos\n{start} {length} L *\n"),
        // L is "Linux filesystem", not the type that is mounted by itself: fstab says what is mounted.
        Firmware::Uefi => format!("label: gpt\n{} {} U\n{start} {length} L\n", FIRST / 512, ESP / 512),
    };
    Command::new("sfdisk")
        .args(["--quiet", "--no-reread", "--no-tell-kernel", "--wipe=never", "--wipe-partitions=never"])
        .arg(image)
        .input(script)
        .run_ok()?;
    Ok(())
}
