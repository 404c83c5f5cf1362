//! File systems, filled as they are made.

use super::{Image, ImageError, Volume, copy_at, empty_like, file, words, xfs};
use crate::exec::Command;
use crate::provision::apt::INSTALL_LIMIT;
use crate::provision::base::remove;
use crate::provision::{FileSystem, Machine};
use std::fs;
use std::path::Path;

/// The least that a file system can be, in bytes.
pub fn least(file_system: FileSystem) -> u64 {
    match file_system {
        FileSystem::Ext4 => 16 << 20,
        FileSystem::Btrfs => 128 << 20,
        // mkfs.xfs refuses less.
        FileSystem::Xfs => 300 << 20,
    }
}

pub fn name(file_system: FileSystem) -> &'static str {
    match file_system {
        FileSystem::Ext4 => "ext4",
        FileSystem::Btrfs => "btrfs",
        FileSystem::Xfs => "xfs",
    }
}

/// Other disks' mount points are empty directories while a file system is filled: `$1`, then pairs of a directory and
/// what is mounted over it, up to `--`; then the command.
const WITHOUT_OTHERS: &str = r#"set -e
while [ "$1" != -- ]; do
    mount --bind "$2" "$1"
    shift 2
done
shift
exec "$@"
"#;

/// A command that sees `volume`'s content without what belongs to other volumes.
pub fn alone(
    volume: &Volume<'_>,
    volumes: &[Volume<'_>],
    scratch: &Path,
    program: &str,
) -> Result<Command, ImageError> {
    let mut command =
        Command::new("unshare").args(["--mount", "--propagation=private", "sh", "-c", WITHOUT_OTHERS, "sh"]);
    for (number, other) in volumes.iter().enumerate() {
        if other.content != volume.content && other.content.starts_with(&volume.content) {
            let empty = scratch.join(number.to_string());
            empty_like(&other.content, &empty)?;
            command = command.arg(&other.content).arg(&empty);
        }
    }
    Ok(command.arg("--").arg(program).limit(INSTALL_LIMIT))
}

/// Makes the file system of `volume` in its image.
pub fn make(
    machine: &Machine,
    volume: &Volume<'_>,
    volumes: &[Volume<'_>],
    image: &Image,
    into: &Path,
) -> Result<(), ImageError> {
    let scratch = into.join(format!("{}.tmp", volume.disk.name));
    let clear = || remove(&scratch).map_err(|_| file("remove", &scratch)(std::io::ErrorKind::Other.into()));
    clear()?;
    fs::create_dir_all(&scratch).map_err(file("make", &scratch))?;
    let made = match volume.disk.file_system {
        FileSystem::Ext4 => ext4(machine, volume, volumes, image, &scratch),
        FileSystem::Btrfs | FileSystem::Xfs if volume.start == 0 => {
            separately(machine, volume, volumes, &image.path, &scratch)
        }
        // Their programs know no offset.
        FileSystem::Btrfs | FileSystem::Xfs => {
            let partition = scratch.join("partition");
            let opened = fs::File::create(&partition).map_err(file("make", &partition))?;
            opened.set_len(volume.length).map_err(file("write", &partition))?;
            separately(machine, volume, volumes, &partition, &scratch)
                .and_then(|()| copy_at(&partition, &image.path, volume.start))
        }
    };
    made.and(clear())
}

fn separately(
    machine: &Machine,
    volume: &Volume<'_>,
    volumes: &[Volume<'_>],
    at: &Path,
    scratch: &Path,
) -> Result<(), ImageError> {
    match volume.disk.file_system {
        FileSystem::Xfs => xfs::make(machine, volume, volumes, at, scratch),
        _ => btrfs(machine, volume, volumes, at, scratch),
    }
}

pub fn failed(machine: &Machine, volume: &Volume<'_>, words: String) -> ImageError {
    ImageError::FileSystem {
        machine: machine.name.clone(),
        disk: volume.disk.name.clone(),
        file_system: name(volume.disk.file_system),
        words,
    }
}

fn ext4(
    machine: &Machine,
    volume: &Volume<'_>,
    volumes: &[Volume<'_>],
    image: &Image,
    scratch: &Path,
) -> Result<(), ImageError> {
    let output = alone(volume, volumes, scratch, "mke2fs")?
        .args(["-q", "-F", "-t", "ext4", "-U", &volume.uuid])
        // What bookworm's GRUB and kernel can't read, should this machine's mke2fs make it by default.
        .args(["-O", "^metadata_csum_seed,^orphan_file"])
        .args(["-E", &format!("offset={},root_owner=0:0", volume.start), "-d"])
        .arg(&volume.content)
        .arg(&image.path)
        .arg(format!("{}k", volume.length / 1024))
        .run()?;
    if output.success() { Ok(()) } else { Err(failed(machine, volume, words(&output))) }
}

fn btrfs(
    machine: &Machine,
    volume: &Volume<'_>,
    volumes: &[Volume<'_>],
    at: &Path,
    scratch: &Path,
) -> Result<(), ImageError> {
    let output = alone(volume, volumes, scratch, "mkfs.btrfs")?
        // One copy of the metadata is Debian's default for virtual disks; two cost space and save nothing there.
        .args(["-q", "-U", &volume.uuid, "-m", "single", "--rootdir"])
        .arg(&volume.content)
        .arg(at)
        .run()?;
    if output.success() { Ok(()) } else { Err(failed(machine, volume, words(&output))) }
}
