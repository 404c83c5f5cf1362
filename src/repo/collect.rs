//! What may go, and when: nothing that a client of an earlier generation may still want. All times are in manifests;
//! nothing is decided by a file's own time.

use super::manifest::{EarlierGeneration, Manifest, Retained};
use super::{Event, Repository, generation, store};
use crate::diagnostics::Diagnostic;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// How long an index file stays under its hash after the last generation that listed it: a client that has fetched
/// the old InRelease still finds what it names. Seconds.
pub const INDEX_GRACE: i64 = 72 * 3600;
/// The same for the pool: machines that have updated their lists install from them for days.
pub const POOL_GRACE: i64 = 14 * 86_400;

/// All that a generation and those before it, still in grace, need on the disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// `pool/…`
    pub pool: BTreeSet<String>,
    /// Hashes of index files.
    pub by_hash: BTreeSet<String>,
    pub generations: BTreeSet<u64>,
    /// Symlinks at the root.
    pub links: BTreeSet<String>,
}

impl References {
    /// None: nothing is published, nothing is needed.
    pub fn of(manifest: Option<&Manifest>) -> References {
        let Some(manifest) = manifest else { return References::default() };
        let mut found = References::default();
        found.pool.extend(manifest.packages.iter().map(|record| record.filename.clone()));
        found.by_hash.extend(manifest.suites.values().flat_map(|files| files.values().map(|f| f.sha256.clone())));
        for retained in &manifest.retained {
            if retained.path.starts_with("pool/") {
                found.pool.insert(retained.path.clone());
            } else {
                found.by_hash.insert(retained.sha256.clone());
            }
        }
        found.generations.insert(manifest.generation);
        found.generations.extend(manifest.earlier.iter().map(|e| e.generation));
        found.links.extend(generation::keyring_links(manifest).into_iter().map(|(link, _)| link));
        found
    }
}

/// Fills `next.retained` and `next.earlier`: what `head` has and `next` has not gets its grace from `next.date` on;
/// what was in grace already stays until its time.
pub fn carry_over(head: Option<&Manifest>, next: &mut Manifest) {
    next.retained.clear();
    next.earlier.clear();
    let Some(head) = head else { return };
    let current: BTreeSet<String> =
        next.packages.iter().map(|record| record.filename.clone()).chain(index_files(next).into_keys()).collect();

    let mut kept: BTreeMap<String, Retained> = BTreeMap::new();
    for old in &head.retained {
        if old.until > next.date {
            kept.insert(old.path.clone(), old.clone());
        }
    }
    for record in &head.packages {
        let until = next.date + POOL_GRACE;
        kept.insert(
            record.filename.clone(),
            Retained { path: record.filename.clone(), size: record.size, sha256: record.sha256.clone(), until },
        );
    }
    for (path, (size, sha256)) in index_files(head) {
        let until = next.date + INDEX_GRACE;
        kept.insert(path.clone(), Retained { path, size, sha256, until });
    }
    next.retained = kept.into_values().filter(|retained| !current.contains(&retained.path)).collect();

    next.earlier = head.earlier.iter().filter(|earlier| earlier.until > next.date).cloned().collect();
    next.earlier.push(EarlierGeneration { generation: head.generation, until: next.date + INDEX_GRACE });
}

/// The index files of a generation by their public by-hash path, with size and hash.
fn index_files(manifest: &Manifest) -> BTreeMap<String, (u64, String)> {
    let mut found = BTreeMap::new();
    for (suite, files) in &manifest.suites {
        for (path, hash) in files {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let path = format!("{}/{suite}/{folder}/by-hash/SHA256/{}", generation::DISTS, hash.sha256);
            found.insert(path, (hash.size, hash.sha256.clone()));
        }
    }
    found
}

impl Repository<'_> {
    /// Removes what `before` needed and `now` no longer does. Says how many files and directories went.
    pub(super) fn collect(&self, before: &References, now: &References) -> Result<usize, Diagnostic> {
        let root = self.root();
        let mut removed = 0;
        for link in before.links.difference(&now.links) {
            removed += usize::from(store::remove(&root.join(link))?);
        }
        for number in before.generations.difference(&now.generations) {
            removed += usize::from(remove_tree(&root.join(generation::path(*number)))?);
        }
        for hash in before.by_hash.difference(&now.by_hash) {
            removed += usize::from(store::remove(&root.join(store::BY_HASH).join(hash))?);
        }
        for filename in before.pool.difference(&now.pool) {
            removed += usize::from(remove_pool_file(root, filename)?);
        }
        if removed > 0 {
            self.emit(Event::Collected { removed });
        }
        Ok(removed)
    }
}

/// Removes a file of the pool, and its directory when that was the last.
pub(super) fn remove_pool_file(root: &Path, filename: &str) -> Result<bool, Diagnostic> {
    let path = root.join(filename);
    let removed = store::remove(&path)?;
    if let Some(directory) = path.parent() {
        // Fails while there are others in it.
        let _ = std::fs::remove_dir(directory);
    }
    Ok(removed)
}

pub(super) fn remove_tree(path: &Path) -> Result<bool, Diagnostic> {
    match std::fs::remove_dir_all(path) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(store::failed("remove", path, &e)),
    }
}
