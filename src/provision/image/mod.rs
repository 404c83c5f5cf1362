//! Disks out of a machine's tree, without loop devices: file systems are filled as they are made, boot loaders are
//! written where the firmware looks. What is done by hand here leaves the marks that GRUB's own packages look for, so
//! that in the machine they, and the kernel's, take effect as on any other.
//!
//! ```text
//! root, BIOS   dos label │ GRUB's core image in the gap before the first partition │ 1: root, from 1 MiB to the end
//! root, UEFI   GPT │ 1: EFI system partition, 64 MiB │ 2: root, to the end
//! others       the file system on the whole disk: it grows with the disk
//! ```

mod bios;
mod filesystem;
mod grub;
mod partition;
mod uefi;
mod xfs;

use super::{Disk, FileSystem, Firmware, Machine, Phase, Progress};
use crate::exec::{Command, ExecError};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

/// A disk's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// [`Disk::name`].
    pub disk: String,
    /// `<into>/<disk>.img`, as long as the disk, with holes where nothing is.
    pub path: PathBuf,
    pub format: Format,
}

/// How an image file stands for a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Byte by byte.
    Raw,
}

impl Format {
    /// As qemu-img(1) and libvirt name it.
    pub fn name(self) -> &'static str {
        match self {
            Format::Raw => "raw",
        }
    }
}

/// Where nothing but the root disk can be mounted: it has to be there before other disks are.
const ROOT_ONLY: &[&str] = &[
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib64",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/dpkg",
];

/// The least that a root disk can be: a base tree, the role's packages, and room for the next kernel.
const LEAST_ROOT: u64 = 1 << 30;

#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    #[error("{machine} has no disk: add one to its [vm]")]
    NoDisk { machine: String },
    #[error("{machine}: the disk \"{disk}\" can't be mounted at {mount}: that has to be on the root disk")]
    RootOnly { machine: String, disk: String, mount: String },
    #[error("{machine}: the disk \"{disk}\" can't be mounted at \"{mount}\": name an absolute path without \"..\"")]
    Mount { machine: String, disk: String, mount: String },
    #[error("{machine}: the disk \"{disk}\" of {size} MiB is too small: make it at least {least} MiB")]
    Small { machine: String, disk: String, size: u64, least: u64 },
    #[error("can't {what} {}: {source}", path.display())]
    File { what: &'static str, path: PathBuf, source: io::Error },
    #[error("{machine}: no {file_system} was made for the disk \"{disk}\": {words}")]
    FileSystem { machine: String, disk: String, file_system: &'static str, words: String },
    #[error(
        "{machine}: the disk \"{disk}\" can't be xfs: {path} on it {what}, which mkfs.xfs can't take over; use ext4 or \
         btrfs for it"
    )]
    Xfs { machine: String, disk: String, path: String, what: &'static str },
    #[error("{machine}: no boot loader was made: {words}")]
    BootLoader { machine: String, words: String },
    #[error(transparent)]
    Exec(#[from] ExecError),
    #[error("{machine}: {source}")]
    Random { machine: String, source: io::Error },
}

fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ImageError {
    let path = path.to_owned();
    move |source| ImageError::File { what, path, source }
}

/// A disk and what is settled for its image.
struct Volume<'a> {
    disk: &'a Disk,
    /// Its file system's.
    uuid: String,
    /// Its part of the tree.
    content: PathBuf,
    /// Where its file system begins and how long it is, in bytes.
    start: u64,
    length: u64,
}

/// Makes the images of `machine`'s disks in the directory `into` out of `tree`, which is given what depends on them:
/// `etc/fstab`, and the boot loader's files. On failure none of the images is left.
///
/// What lies below a further disk's mount point in the tree goes onto that disk.
pub fn images(tree: &Path, machine: &Machine, into: &Path, progress: &dyn Progress) -> Result<Vec<Image>, ImageError> {
    progress.phase(Phase::Image, &sizes(machine));
    let (first, others) = sound(machine)?;
    let tree = &std::path::absolute(tree).map_err(file("find", tree))?;
    let into = &std::path::absolute(into).map_err(file("find", into))?;
    fs::create_dir_all(into).map_err(file("make", into))?;
    let images: Vec<Image> = machine
        .disks
        .iter()
        .map(|disk| Image {
            disk: disk.name.clone(),
            path: into.join(format!("{}.img", disk.name)),
            format: Format::Raw,
        })
        .collect();
    let made = make(tree, machine, first, others, &images, into);
    if made.is_err() {
        for image in &images {
            let _ = fs::remove_file(&image.path);
        }
    }
    made.map(|()| images)
}

fn sizes(machine: &Machine) -> String {
    let sizes: Vec<String> =
        machine.disks.iter().map(|disk| format!("{} {} MiB", disk.name, disk.size >> 20)).collect();
    sizes.join(", ")
}

/// The first disk and the others, if disks like these can be made.
fn sound(machine: &Machine) -> Result<(&Disk, &[Disk]), ImageError> {
    let name = || machine.name.clone();
    let Some((first, others)) = machine.disks.split_first() else {
        return Err(ImageError::NoDisk { machine: name() });
    };
    if first.size < LEAST_ROOT {
        let (size, least) = (first.size >> 20, LEAST_ROOT >> 20);
        return Err(ImageError::Small { machine: name(), disk: first.name.clone(), size, least });
    }
    for disk in others {
        let (mount, least) = (Path::new(&disk.mount), filesystem::least(disk.file_system));
        let plain = mount.components().skip(1).all(|part| matches!(part, Component::Normal(_)));
        if !mount.is_absolute() || mount == Path::new("/") || !plain || disk.mount.contains(char::is_whitespace) {
            return Err(ImageError::Mount { machine: name(), disk: disk.name.clone(), mount: disk.mount.clone() });
        }
        if ROOT_ONLY.iter().any(|root| mount.starts_with(root))
            || Path::new("/var/lib/dpkg").starts_with(mount) && mount == Path::new("/var/lib")
        {
            return Err(ImageError::RootOnly { machine: name(), disk: disk.name.clone(), mount: disk.mount.clone() });
        }
        if disk.size < least {
            let (size, least) = (disk.size >> 20, least >> 20);
            return Err(ImageError::Small { machine: name(), disk: disk.name.clone(), size, least });
        }
    }
    Ok((first, others))
}

fn make(
    tree: &Path,
    machine: &Machine,
    first: &Disk,
    others: &[Disk],
    images: &[Image],
    into: &Path,
) -> Result<(), ImageError> {
    let random = |source| ImageError::Random { machine: machine.name.clone(), source };
    let (start, length) = partition::root(machine.firmware, first.size);
    let root = Volume { disk: first, uuid: uuid().map_err(random)?, content: tree.to_owned(), start, length };
    let mut volumes = vec![root];
    for disk in others {
        let content = tree.join(disk.mount.trim_start_matches('/'));
        fs::create_dir_all(&content).map_err(file("make", &content))?;
        let volume = Volume { disk, uuid: uuid().map_err(random)?, content, start: 0, length: disk.size };
        volumes.push(volume);
    }
    let esp = match machine.firmware {
        Firmware::Uefi => Some(uefi::serial().map_err(random)?),
        Firmware::Bios => None,
    };
    let fstab = tree.join("etc/fstab");
    fs::write(&fstab, self::fstab(&volumes, esp.as_deref())).map_err(file("write", &fstab))?;
    grub::configure(tree, machine, &volumes[0])?;
    let loader = match machine.firmware {
        Firmware::Bios => bios::prepare(tree, machine, &volumes[0])?,
        Firmware::Uefi => uefi::prepare(tree, machine, &volumes[0])?,
    };
    if machine.disks.iter().any(|disk| disk.file_system == FileSystem::Xfs) {
        let path = tree.join(xfs::RENAMES);
        fs::write(&path, "").map_err(file("write", &path))?;
    }
    // The root last: with what the others leave to the first boot.
    for (volume, image) in volumes.iter().zip(images).rev() {
        let opened = File::create(&image.path).map_err(file("make", &image.path))?;
        opened.set_len(volume.disk.size).map_err(file("write", &image.path))?;
        drop(opened);
        filesystem::make(machine, volume, &volumes, image, into)?;
    }
    partition::write(machine.firmware, &images[0].path)?;
    match (machine.firmware, esp) {
        (Firmware::Uefi, Some(serial)) => uefi::write(&images[0].path, &loader, &serial, into),
        _ => bios::write(&images[0].path, tree, &loader),
    }
}

fn fstab(volumes: &[Volume<'_>], esp: Option<&str>) -> String {
    let mut text = String::from("# <file system> <mount point> <type> <options> <dump> <pass>\n");
    // In the order in which they are mounted, whatever their order in the tree.
    let mut ordered: Vec<&Volume<'_>> = volumes.iter().collect();
    ordered.sort_by_key(|volume| volume.disk.mount.matches('/').count() - usize::from(volume.disk.mount == "/"));
    for volume in ordered {
        let (name, pass) = match (volume.disk.file_system, volume.disk.mount.as_str()) {
            (FileSystem::Ext4, "/") => ("ext4", 1),
            (FileSystem::Ext4, _) => ("ext4", 2),
            (FileSystem::Btrfs, _) => ("btrfs", 0),
            (FileSystem::Xfs, _) => ("xfs", 0),
        };
        let options = if name == "ext4" && pass == 1 { "errors=remount-ro" } else { "defaults" };
        text.push_str(&format!("UUID={} {} {name} {options} 0 {pass}\n", volume.uuid, volume.disk.mount));
    }
    if let Some(serial) = esp {
        let (high, low) = serial.split_at(4);
        text.push_str(&format!("UUID={high}-{low} /boot/efi vfat umask=0077 0 1\n"));
    }
    text
}

/// A random UUID (RFC 9562, version 4).
fn uuid() -> io::Result<String> {
    let mut bytes = random::<16>()?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = super::apt::hex(&bytes);
    Ok(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    io::Read::read_exact(&mut File::open("/dev/urandom")?, &mut bytes)?;
    Ok(bytes)
}

/// An empty directory that looks like `of`: what a file system has where another one is mounted.
fn empty_like(of: &Path, at: &Path) -> Result<(), ImageError> {
    fs::create_dir_all(at).map_err(file("make", at))?;
    let data = fs::metadata(of).map_err(file("read", of))?;
    fs::set_permissions(at, fs::Permissions::from_mode(data.mode() & 0o7777)).map_err(file("make", at))?;
    std::os::unix::fs::chown(at, Some(data.uid()), Some(data.gid())).map_err(file("make", at))
}

/// The last lines of a program that said no.
fn words(output: &crate::exec::Output) -> String {
    let all = format!("{}\n{}", output.stdout_text(), output.stderr_text());
    let lines: Vec<&str> = all.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(4)..].join("; ")
}

/// Writes bytes at a place of an image.
fn write_at(image: &Path, offset: u64, bytes: &[u8]) -> Result<(), ImageError> {
    use std::os::unix::fs::FileExt;
    let opened = File::options().write(true).open(image).map_err(file("open", image))?;
    opened.write_all_at(bytes, offset).map_err(file("write", image))
}

/// Copies what is no hole of a file to a place of an image.
fn copy_at(from: &Path, image: &Path, offset: u64) -> Result<(), ImageError> {
    Command::new("dd")
        .arg(format!("if={}", from.display()))
        .arg(format!("of={}", image.display()))
        .args(["bs=1M", "conv=sparse,notrunc", "oflag=seek_bytes", "status=none"])
        .arg(format!("seek={offset}"))
        .limit(super::apt::INSTALL_LIMIT)
        .run_ok()?;
    Ok(())
}
