//! Directories for what is needed for a moment only, and their end: with the value that stands for one, or, where debrole
//! was killed or interrupted meanwhile, with the next debrole that makes one in the same place.
//!
//! Whose a directory is, is a lock that its debrole holds as long as it lives (flock(2)): the kernel ends it, however that
//! one ended. Nothing goes by times, and no directory goes that has no such lock file.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use tempfile::TempDir;

/// What the names begin with.
const PREFIX: &str = "debrole-";
/// Locked while the directory is in use.
const LOCK: &str = ".debrole-in-use";
/// How often somebody else's clearing may come in between the making of a directory and its lock.
const ATTEMPTS: usize = 16;

/// A directory that is its user's alone (mode 0700). Removed on drop, with all that is in it.
#[derive(Debug)]
pub struct Scratch {
    directory: TempDir,
    /// Released after the directory is gone.
    _lock: File,
}

impl Scratch {
    /// In the directory for temporary files.
    ///
    /// # Errors
    /// Those of making a directory and a file in it.
    pub fn new() -> io::Result<Scratch> {
        Scratch::below(&std::env::temp_dir())
    }

    /// In this directory. What killed ones have left there goes first.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn below(place: &Path) -> io::Result<Scratch> {
        clear_once(place);
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let permissions = Permissions::from_mode(0o700);
            let directory = tempfile::Builder::new().prefix(PREFIX).permissions(permissions).tempdir_in(place)?;
            let lock = OpenOptions::new().write(true).create_new(true).mode(0o600).open(directory.path().join(LOCK))?;
            match lock.try_lock() {
                // Somebody saw the file before it was locked, and is removing the directory.
                Err(TryLockError::WouldBlock) => {}
                Ok(()) if lock.metadata()?.nlink() == 0 => {}
                // Where files can't be locked nobody can take it for one that was left.
                Ok(()) | Err(TryLockError::Error(_)) => return Ok(Scratch { directory, _lock: lock }),
            }
            last = Some(directory);
        }
        drop(last);
        Err(io::Error::other(format!("something removes directories in {}", place.display())))
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Once in a process and place.
fn clear_once(place: &Path) {
    static CLEARED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    let mut cleared = CLEARED.lock().unwrap_or_else(PoisonError::into_inner);
    if !cleared.iter().any(|one| one == place) {
        clear(place);
        cleared.push(place.to_owned());
    }
}

/// Removes what was left in a place by those of the same user that were killed. What can't be removed stays.
pub fn clear(place: &Path) {
    let Ok(entries) = fs::read_dir(place) else { return };
    for entry in entries.flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            let _ = clear_one(&entry.path());
        }
    }
}

fn clear_one(directory: &Path) -> io::Result<()> {
    let us = rustix::process::geteuid().as_raw();
    // The place may be for all (/tmp): what is somebody else's, or leads elsewhere, is not looked at.
    let meta = fs::symlink_metadata(directory)?;
    if !meta.is_dir() || meta.uid() != us {
        return Ok(());
    }
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let lock = OpenOptions::new().write(true).custom_flags(flags.bits().cast_signed()).open(directory.join(LOCK))?;
    if lock.metadata()?.is_file() && lock.try_lock().is_ok() {
        fs::remove_dir_all(directory)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(place: &Path, name: &str) -> PathBuf {
        let directory = place.join(name);
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("plaintext"), "x").unwrap();
        directory
    }

    #[test]
    fn what_a_killed_one_left_goes_and_nothing_else_does() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path();
        let killed = left(place, "debrole-killed");
        fs::write(killed.join(LOCK), "").unwrap();
        // A link in it is not followed.
        let outside = left(place, "outside");
        std::os::unix::fs::symlink(&outside, killed.join("link")).unwrap();
        let used = Scratch::below(place).unwrap();
        assert!(!killed.exists() && outside.join("plaintext").exists());

        let somebodys = left(place, "debrole-of-a-person");
        let linked = place.join("debrole-link");
        fs::write(outside.join(LOCK), "").unwrap();
        std::os::unix::fs::symlink(&outside, &linked).unwrap();
        clear(place);
        assert!(used.path().is_dir() && somebodys.exists() && outside.join("plaintext").exists());
        assert_eq!(fs::metadata(used.path()).unwrap().mode() & 0o777, 0o700);
        let path = used.path().to_owned();
        drop(used);
        assert!(!path.exists());
    }

    #[test]
    fn many_at_once_take_nothing_from_each_other() {
        let place = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let one = Scratch::below(place.path()).unwrap();
                        clear(place.path());
                        fs::write(one.path().join("file"), "x").unwrap();
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }
}
