//! XFS, filled by mkfs.xfs(8) from a prototype file. That has no times and no sticky bit, which xfs_db(8) adds. It has no
//! names with blanks, nor any that begin with a colon (of which ucf(1) makes many): they get another name, and the
//! machine's first boot gives them theirs. It has no extended attributes: a tree with such is refused. Hard links become
//! files of their own.

use super::{ImageError, Volume, file, filesystem, words};
use crate::exec::Command;
use crate::provision::Machine;
use crate::provision::apt::INSTALL_LIMIT;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// Seconds from 1901-12-13 20:45:52 UTC, where XFS's 64-bit nanoseconds begin, to 1970.
const EPOCH: i64 = 1 << 31;

/// What mkfs.xfs and xfs_db are told. Paths are bytes, not text.
#[derive(Default)]
struct Prototype {
    files: Vec<u8>,
    changes: Vec<u8>,
    /// Two lines each: the name that it has in the image, and its own. What is in a directory comes before it.
    renames: Vec<u8>,
    renamed: u32,
}

/// What the first boot renames, in the tree; below the directory of [`crate::provision::install`]'s first boot.
pub const RENAMES: &str = "var/lib/first-boot/rename";

/// What of the tree is another volume's: there the directory is empty.
struct Walk<'a> {
    machine: &'a Machine,
    volume: &'a Volume<'a>,
    volumes: &'a [Volume<'a>],
    scratch: &'a Path,
}

pub fn make(
    machine: &Machine,
    volume: &Volume<'_>,
    volumes: &[Volume<'_>],
    at: &Path,
    scratch: &Path,
) -> Result<(), ImageError> {
    let mut prototype = Prototype::default();
    prototype.files.extend(b"-\n0 0\n");
    let walk = Walk { machine, volume, volumes, scratch };
    walk.entry(&volume.content, Path::new("/"), &mut prototype)?;
    walk.remember(&prototype.renames)?;
    let path = scratch.join("prototype");
    fs::write(&path, &prototype.files).map_err(file("write", &path))?;
    let output = Command::new("mkfs.xfs")
        // What newer programs would add is nothing that bookworm's GRUB can read.
        .args(["-q", "-f", "-m", "bigtime=1,crc=1", "-i", "nrext64=0", "-m"])
        .arg(format!("uuid={}", volume.uuid))
        .arg("-p")
        .args([&path, at])
        .limit(INSTALL_LIMIT)
        .run()?;
    if !output.success() {
        return Err(filesystem::failed(machine, volume, words(&output)));
    }
    let changed = Command::new("xfs_db").args(["-x", "-f"]).arg(at).input(prototype.changes).limit(INSTALL_LIMIT);
    let output = changed.run()?;
    // It goes on after a command that it could not carry out, and prints each new value.
    let said = format!("{}{}", output.stdout_text(), output.stderr_text());
    let complaints: Vec<&str> = said.lines().filter(|line| !line.starts_with("core.")).take(3).collect();
    if !output.success() || !complaints.is_empty() {
        return Err(filesystem::failed(machine, volume, format!("xfs_db: {}", complaints.join("; "))));
    }
    Ok(())
}

impl Walk<'_> {
    /// Notes for the first boot what is to be renamed. The root disk's image is made last, with all of these in it.
    fn remember(&self, renames: &[u8]) -> Result<(), ImageError> {
        let Some(root) = self.volumes.first() else { return Ok(()) };
        let path = root.content.join(RENAMES);
        let opened = fs::File::options().append(true).open(&path);
        opened.and_then(|mut opened| opened.write_all(renames)).map_err(file("write", &path))
    }

    /// `path` in the tree, `within` in the file system.
    fn entry(&self, path: &Path, within: &Path, out: &mut Prototype) -> Result<(), ImageError> {
        let data = fs::symlink_metadata(path).map_err(file("read", path))?;
        self.acceptable(path, within, &data)?;
        let kind = data.file_type();
        if within != Path::new("/") {
            out.files.extend(within.file_name().map(OsStr::as_bytes).unwrap_or_default());
            out.files.push(b' ');
        }
        let letter = if kind.is_dir() {
            'd'
        } else if kind.is_symlink() {
            'l'
        } else if kind.is_block_device() {
            'b'
        } else if kind.is_char_device() {
            'c'
        } else if kind.is_fifo() {
            'p'
        } else {
            '-'
        };
        let mode = data.mode();
        let set = |bit: u32, letter: char| if mode & bit == 0 { '-' } else { letter };
        let (user, group) = (set(0o4000, 'u'), set(0o2000, 'g'));
        out.files.extend(format!("{letter}{user}{group}{:03o} {} {}", mode & 0o777, data.uid(), data.gid()).bytes());
        match letter {
            'd' => {
                out.files.push(b'\n');
                let elsewhere = within != Path::new("/") && self.volumes.iter().any(|other| other.content == path);
                if !elsewhere {
                    let mut names: Vec<_> = fs::read_dir(path)
                        .map_err(file("read", path))?
                        .flatten()
                        .map(|entry| entry.file_name())
                        .collect();
                    names.sort();
                    for name in names {
                        let mut there = within.join(&name);
                        if blank(&name) || name.as_bytes().starts_with(b":") {
                            out.renamed += 1;
                            there = within.join(format!(".first-boot-{}", out.renamed));
                        }
                        self.entry(&path.join(&name), &there, out)?;
                        if there.file_name() != Some(&name) {
                            let mount = Path::new(&self.volume.disk.mount);
                            for path in [&there, &within.join(&name)] {
                                let path = mount.join(path.strip_prefix("/").unwrap_or(path));
                                out.renames.extend(path.as_os_str().as_bytes());
                                out.renames.push(b'\n');
                            }
                        }
                    }
                }
                out.files.extend(b"$\n");
            }
            'l' => {
                let target = fs::read_link(path).map_err(file("read", path))?;
                if blank(target.as_os_str()) {
                    return Err(self.refused(within, "points to a name with a blank in it"));
                }
                out.files.push(b' ');
                out.files.extend(target.as_os_str().as_bytes());
                out.files.push(b'\n');
            }
            'b' | 'c' => {
                let device = data.rdev();
                out.files.extend(format!(" {} {}\n", rustix::fs::major(device), rustix::fs::minor(device)).bytes());
            }
            'p' => out.files.push(b'\n'),
            _ => {
                // The file's own name is no better where it is read from.
                let mut from = path.to_owned();
                if blank(path.as_os_str()) {
                    from = self.scratch.join(format!("blank-{}", out.files.len()));
                    fs::copy(path, &from).map_err(file("copy", path))?;
                }
                out.files.push(b' ');
                out.files.extend(from.as_os_str().as_bytes());
                out.files.push(b'\n');
            }
        }
        out.changes.extend(b"path ");
        out.changes.extend(within.as_os_str().as_bytes());
        let time = (data.mtime().max(-EPOCH) + EPOCH).saturating_mul(1_000_000_000);
        out.changes.extend(format!("\nwrite core.mtime.sec {time}\n").bytes());
        if mode & 0o1000 != 0 {
            out.changes.extend(format!("write core.mode {mode:#o}\n").replace("0o", "0").bytes());
        }
        Ok(())
    }

    fn acceptable(&self, path: &Path, within: &Path, data: &Metadata) -> Result<(), ImageError> {
        if path.as_os_str().as_bytes().contains(&b'\n') {
            return Err(self.refused(within, "has a line break in its name"));
        }
        if data.file_type().is_socket() {
            return Err(self.refused(within, "is a socket"));
        }
        // Those of a symlink can't be read without following it, and nothing in Debian sets any.
        let at = Path::new(&self.volume.disk.mount).join(within.strip_prefix("/").unwrap_or(within));
        // Whom the journal is readable for is set with every boot (tmpfiles.d/systemd.conf).
        if !data.file_type().is_symlink() && !at.starts_with("/var/log/journal") {
            let listed = rustix::fs::listxattr(path, &mut [0_u8; 4096]);
            if !matches!(listed, Ok(0) | Err(rustix::io::Errno::NOTSUP)) {
                return Err(self.refused(within, "has extended attributes"));
            }
        }
        Ok(())
    }

    fn refused(&self, within: &Path, what: &'static str) -> ImageError {
        ImageError::Xfs {
            machine: self.machine.name.clone(),
            disk: self.volume.disk.name.clone(),
            path: within.display().to_string(),
            what,
        }
    }
}

fn blank(name: &OsStr) -> bool {
    name.as_bytes().iter().any(u8::is_ascii_whitespace)
}
