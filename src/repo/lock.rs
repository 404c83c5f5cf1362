//! The lock of the output directory: flock(2) on `.lock`, which the kernel releases when its holder ends, however
//! that ends. Who holds it is asked of the kernel too (proc(5), /proc/locks), so that nothing has to be written, and
//! nothing written can be stale.

use super::{Event, Events, store};
use crate::diagnostics::{Diagnostic, rules};
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

pub const FILE: &str = ".lock";

/// Held until dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing would do, but for a child that another thread has forked at this moment: until it calls exec it
        // has our descriptor too, and with it the lock.
        let _ = self.file.unlock();
    }
}

impl Lock {
    pub fn take(root: &Path, wait: bool, events: Events<'_>) -> Result<Lock, Diagnostic> {
        let path = root.join(FILE);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|e| store::failed("open", &path, &e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) if wait => {
                events(Event::Waiting { holder: holder(&file) });
                file.lock().map_err(|e| store::failed("lock", &path, &e))?;
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Diagnostic::new(
                    &rules::lock_held::RULE,
                    format!("{} is being written by {}", root.display(), holder(&file)),
                )
                .help("wait until it has finished, or let this one take its turn with --wait"));
            }
            Err(TryLockError::Error(e)) => return Err(store::failed("lock", &path, &e)),
        }
        Ok(Lock { file })
    }
}

/// Who holds the lock, in words: `process 4711 (debrole build), running for 12 s`.
fn holder(file: &File) -> String {
    const NOBODY_WE_SEE: &str = "a process that can't be seen from here (in another container or on another machine)";
    let Ok(meta) = file.metadata() else { return NOBODY_WE_SEE.into() };
    let Ok(locks) = std::fs::read_to_string("/proc/locks") else { return NOBODY_WE_SEE.into() };
    let Some(pid) = holder_in(&locks, meta.dev(), meta.ino()) else { return NOBODY_WE_SEE.into() };
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let command: Vec<String> = command
        .split(|&b| b == 0)
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    let command = if command.is_empty() { String::new() } else { format!(" ({})", command.join(" ")) };
    let age = std::fs::metadata(format!("/proc/{pid}"))
        .and_then(|m| m.created().or_else(|_| m.modified()))
        .ok()
        .and_then(|started| started.elapsed().ok())
        .map_or(String::new(), |age| format!(", for {} s", age.as_secs()));
    format!("process {pid}{command}{age}")
}

/// The process that holds the flock on a file, from the text of /proc/locks:
/// `1: FLOCK  ADVISORY  WRITE 4711 08:01:1234 0 EOF`. Waiting processes have a `->` before the kind.
fn holder_in(locks: &str, device: u64, inode: u64) -> Option<u32> {
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let place = format!("{major:02x}:{minor:02x}:{inode}");
    let exact = |line: &&str| line.split_whitespace().any(|word| word == place);
    // Overlays show the device of the layer below: then the inode has to do.
    let by_inode = |line: &&str| {
        line.split_whitespace()
            .any(|word| word.rsplit(':').next() == Some(inode.to_string().as_str()) && word.contains(':'))
    };
    let held = |line: &&str| line.contains("FLOCK") && !line.contains("->");
    let line = locks.lines().filter(held).find(exact).or_else(|| locks.lines().filter(held).find(by_inode))?;
    line.split_whitespace().nth(4)?.parse().ok().filter(|&pid| pid > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_found_and_waiters_are_not() {
        let locks = "1: FLOCK  ADVISORY  WRITE 300 08:01:77 0 EOF\n\
                     2: POSIX  ADVISORY  WRITE 301 08:01:78 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 302 08:01:78 0 EOF\n\
                     3: -> FLOCK  ADVISORY  WRITE 303 08:01:78 0 EOF\n";
        let device = rustix::fs::makedev(8, 1);
        assert_eq!(holder_in(locks, device, 78), Some(302));
        assert_eq!(holder_in(locks, device, 79), None);
    }
}
