//! How bytes get to the disk: create-only, under a temporary name where the name says what is inside, and never by
//! changing what is there.

use crate::diagnostics::{Diagnostic, rules};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use std::fs::{File, FileTimes, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The directory of index files by their hash, below the root.
pub const BY_HASH: &str = "by-hash/SHA256";
/// What temporary names begin with, anywhere below the root.
pub const TEMPORARY: &str = ".tmp-";

/// Lower case hex.
pub fn sha256(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(&Sha256::digest(bytes))
}

/// The length and the hash of a file, which is never in memory as a whole: indexes are megabytes.
pub fn sha256_of_file(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = [0; 32 * 1024];
    let mut length = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((length, base16ct::lower::encode_string(&hash.finalize()))),
            Ok(read) => {
                hash.update(&buffer[..read]);
                length += read as u64;
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// An error of the operating system as a diagnostic: a full disk has a code of its own.
pub fn failed(action: &str, path: &Path, error: &io::Error) -> Diagnostic {
    let shown = path.display();
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Diagnostic::new(&rules::disk_full::RULE, format!("the disk is full: can't {action} {shown}"))
                .help("make room and build again; what was published before is still there, whole")
        }
        // EPERM is no matter of permissions alone: a file that can't be changed (chattr(1)) is one, too.
        ErrorKind::PermissionDenied if error.raw_os_error() == Some(Errno::PERM.raw_os_error()) => Diagnostic::new(
            &rules::repository_unwritable::RULE,
            format!("can't {action} {shown}: operation not permitted"),
        )
        .help("run debrole as the user to whom the output directory belongs")
        .help("if it is that user, see with lsattr(1) that nothing there is immutable, and that its file system is one of Linux's own"),
        ErrorKind::PermissionDenied => {
            Diagnostic::new(&rules::repository_unwritable::RULE, format!("can't {action} {shown}: permission denied"))
                .help("run debrole as the user to whom the output directory belongs")
        }
        _ => Diagnostic::new(&rules::repository_unwritable::RULE, format!("can't {action} {shown}: {error}"))
            .help("see that the output directory is on a disk that works and may be written to, then build again"),
    }
}

pub fn system_time(seconds: i64) -> SystemTime {
    match u64::try_from(seconds) {
        Ok(after) => UNIX_EPOCH + Duration::from_secs(after),
        Err(_) => UNIX_EPOCH,
    }
}

/// Writes a file that must not be there yet, with the modification time that HTTP's Last-Modified will show.
pub fn create(path: &Path, bytes: &[u8], mtime: i64) -> Result<(), Diagnostic> {
    create_io(path, bytes, mtime).map_err(|e| failed("write", path, &e))
}

/// As [`create`], and makes the directory where it is not there yet.
pub fn create_in(path: &Path, bytes: &[u8], mtime: i64) -> io::Result<()> {
    match create_io(path, bytes, mtime) {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            std::fs::create_dir_all(path.parent().unwrap_or(path))?;
            create_io(path, bytes, mtime)
        }
        other => other,
    }
}

fn create_io(path: &Path, bytes: &[u8], mtime: i64) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.set_times(FileTimes::new().set_modified(system_time(mtime)))
}

/// Makes a directory and its parents; one that is there is fine.
pub fn directory(path: &Path) -> Result<(), Diagnostic> {
    match std::fs::create_dir(path) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(_) => std::fs::create_dir_all(path).map_err(|e| failed("make", path, &e)),
    }
}

/// Puts an index file under its hash. What is there is hashed again; if it is what its name says, only its
/// modification time is brought forward when it comes back into use, else it is replaced by a rename.
pub fn put_by_hash(root: &Path, hash: &str, bytes: &[u8], mtime: i64, in_use: bool) -> Result<(), Diagnostic> {
    let path = root.join(BY_HASH).join(hash);
    if by_hash_is_sound(root, hash) {
        if in_use {
            return Ok(());
        }
        // A client that has another content by this name in the meantime must not be told "not modified".
        let times = FileTimes::new().set_modified(system_time(mtime));
        return File::options()
            .write(true)
            .open(&path)
            .and_then(|f| f.set_times(times))
            .map_err(|e| failed("touch", &path, &e));
    }
    let temporary = root.join(BY_HASH).join(format!("{TEMPORARY}{hash}-{}", std::process::id()));
    create(&temporary, bytes, mtime)?;
    std::fs::rename(&temporary, &path).map_err(|e| failed("write", &path, &e))
}

/// Whether there is such a file and its bytes have that hash.
pub fn by_hash_is_sound(root: &Path, hash: &str) -> bool {
    read_by_hash(root, hash).is_some()
}

/// Its bytes, if they have that hash.
pub fn read_by_hash(root: &Path, hash: &str) -> Option<Vec<u8>> {
    std::fs::read(root.join(BY_HASH).join(hash)).ok().filter(|bytes| sha256(bytes) == hash)
}

/// Makes `link` point to `target`, at once for everybody who looks: a new symlink under a temporary name, then one
/// rename(2).
pub fn point(root: &Path, link: &str, target: &str) -> Result<(), Diagnostic> {
    let path = root.join(link);
    let temporary = root.join(format!("{TEMPORARY}{link}-{}", std::process::id()));
    symlink(target, &temporary)?;
    std::fs::rename(&temporary, &path).map_err(|e| failed("replace", &path, &e))
}

/// Makes a symlink. Some file systems keep none (symlink(2), EPERM): vfat, exFAT, some that come over a network.
pub fn symlink(target: &str, path: &Path) -> Result<(), Diagnostic> {
    const NONE_HERE: [Errno; 3] = [Errno::PERM, Errno::OPNOTSUPP, Errno::NOSYS];
    std::os::unix::fs::symlink(target, path).map_err(|e| match e.raw_os_error() {
        Some(code) if NONE_HERE.iter().any(|errno| errno.raw_os_error() == code) => Diagnostic::new(
            &rules::repository_unwritable::RULE,
            format!("can't make {}: the file system there keeps no symlinks", path.display()),
        )
        .help("name an output directory on a file system that keeps them (ext4, XFS, Btrfs) with --out"),
        _ => failed("make", path, &e),
    })
}

/// Removes a file; one that is gone is fine.
pub fn remove(path: &Path) -> Result<bool, Diagnostic> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(failed("remove", path, &e)),
    }
}

/// Refuses early when the file system has no room for so many bytes in so many files.
pub fn check_space(directory: &File, root: &Path, bytes: u64, files: u64) -> Result<(), Diagnostic> {
    let Ok(free) = rustix::fs::fstatvfs(directory) else { return Ok(()) };
    // Each file takes whole blocks, each directory one more; a little is kept for the journal and the next run.
    let block = free.f_frsize.max(512);
    let needed = bytes + files * block + 64 * block;
    let available = free.f_bavail.saturating_mul(free.f_frsize);
    let full = |what: String| {
        Diagnostic::new(&rules::disk_full::RULE, format!("the disk of {} has too little room: {what}", root.display()))
            .help("make room and build again; what was published before is still there, whole")
    };
    if available < needed {
        return Err(full(format!("{} kB are needed, {} kB are free", needed.div_ceil(1024), available / 1024)));
    }
    // Some file systems count no inodes.
    if free.f_files > 0 && free.f_favail < files + 4 {
        return Err(full(format!("{} files are to be written, {} inodes are free", files, free.f_favail)));
    }
    Ok(())
}
