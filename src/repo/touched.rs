//! What somebody else changed in a published repository. The commit is the last thing that a publish does to what
//! clients see, so a file that the file system says was changed after it (its ctime, which a program can't set) is not
//! as it was written. Such files are read again and compared with the manifest; the others need not be, so that a
//! build in which nothing changed reads no package. A copy of the directory looks touched all over, and is read once
//! with every build until the next publish.

use super::manifest::{FileHash, Manifest};
use super::read_back::listed;
use super::{generation, store};
use crate::sign::verify;
use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A time of the file system's: that of the last commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Since(i64, i64);

impl Since {
    /// When `dists` became what it is.
    pub fn commit(root: &Path) -> Since {
        std::fs::symlink_metadata(root.join(generation::DISTS)).map_or(Since(i64::MIN, 0), |meta| Since::of(&meta))
    }

    fn of(meta: &Metadata) -> Since {
        Since(meta.ctime(), meta.ctime_nsec())
    }

    /// Whether the file was changed after it.
    pub fn is_before(self, meta: &Metadata) -> bool {
        self < Since::of(meta)
    }
}

/// The index files and signed files of what is published that are not what was written: by their path below the root.
/// All of them can be made again from the manifest and the key. `keys`: whose signatures are good; None: only what is
/// signed is looked at.
pub fn spoilt(root: &Path, head: &Manifest, since: Since, keys: Option<&[u8]>) -> Vec<String> {
    let top = generation::path(head.generation);
    let mut found = Vec::new();
    for (suite, files) in &head.suites {
        let folder = format!("{top}/{suite}");
        for (path, FileHash { size, sha256 }) in files {
            let link = format!("{folder}/{path}");
            let target = format!("by-hash/SHA256/{sha256}");
            let stored = format!("{}/{sha256}", store::BY_HASH);
            if std::fs::read_link(root.join(&link)).ok().as_deref() != Some(Path::new(&target)) {
                found.push(link);
            }
            let sound = std::fs::symlink_metadata(root.join(&stored)).is_ok_and(|meta| {
                meta.is_file()
                    && meta.len() == *size
                    && (!since.is_before(&meta) || store::by_hash_is_sound(root, sha256))
            });
            if !sound {
                found.push(stored);
            }
        }
        found.extend(signed(root, &folder, files, since, keys));
    }
    found.sort();
    found.dedup();
    found
}

/// Those of a suite's InRelease, Release and Release.gpg that are wrong.
fn signed(
    root: &Path,
    folder: &str,
    files: &BTreeMap<String, FileHash>,
    since: Since,
    keys: Option<&[u8]>,
) -> Vec<String> {
    let names = ["InRelease", "Release", "Release.gpg"].map(|name| format!("{folder}/{name}"));
    let untouched = |name: &String| {
        std::fs::symlink_metadata(root.join(name)).is_ok_and(|meta| meta.is_file() && !since.is_before(&meta))
    };
    if names.iter().all(untouched) {
        return Vec::new();
    }
    let [in_release, release, signature] = &names;
    let lists = |name: &str| {
        let text = std::fs::read_to_string(root.join(name)).unwrap_or_default();
        let lists: BTreeMap<String, FileHash> = listed(&text)
            .map(|(sha256, size, path)| (path.to_owned(), FileHash { size, sha256: sha256.to_owned() }))
            .collect();
        lists == *files
    };
    let good = |signature: &str, file: Option<&String>| {
        let path = |name: &str| root.join(name);
        keys.is_none_or(|keys| verify::file(keys, &path(signature), file.map(|f| path(f)).as_deref()).is_ok())
    };
    let mut wrong = Vec::new();
    if !lists(in_release) || !good(in_release, None) {
        wrong.push(in_release.clone());
    }
    if !lists(release) {
        wrong.push(release.clone());
    }
    if !good(signature, Some(release)) {
        wrong.push(signature.clone());
    }
    wrong
}
