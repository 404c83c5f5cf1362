//! The repository: records of packages in, a published generation out. Knows nothing of TOML.
//!
//! ```text
//! dists -> generations/12            the only commit point: one rename(2) of this symlink
//! generations/12/<suite>/…           InRelease, Release, Release.gpg, main/binary-<arch>/Packages*
//! generations/12/manifest.json       the state, signed: manifest.json.asc
//! by-hash/SHA256/<hash>              every index file once; `…/Packages.xz` and `…/by-hash` are symlinks to it
//! pool/<kind>/….deb                  create-only
//! pg-archive-keyring-<release>.deb   -> dists/…, the stable names for joining
//! .lock                              taken by flock(2), never written
//! .unfinished                        there while a publish is under way; the next start cleans up after it
//! ```
//!
//! What is published is never changed in place: not truncated, not hard-linked. Everything that a generation needs is
//! on the disk before its commit, and what an earlier one needs stays until it is out of grace.

mod clashes;
pub mod collect;
pub mod fetch;
pub mod gate;
pub mod generation;
pub mod index;
pub mod lock;
pub mod manifest;
pub mod publish;
mod read_back;
pub mod release;
pub mod repair;
pub mod store;
pub mod touched;
pub mod xz;

use crate::diagnostics::{Diagnostic, rules};
use lock::Lock;
use manifest::Manifest;
use std::fs::File;
use std::path::{Path, PathBuf};

/// `main`: the only component. (What would differ by component differs by package name here.)
pub const COMPONENT: &str = "main";

/// What happens on the way, for whoever shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Somebody else has the lock; we wait for it. In words: `process 4711 (debrole build) …`.
    Waiting {
        holder: String,
    },
    /// An unfinished publish was cleaned up: so many files and directories were removed.
    Repaired {
        removed: usize,
    },
    /// Index or signed files were changed or lost after they were published, and are made anew.
    Spoilt {
        files: Vec<String>,
    },
    /// The public repository is being fetched.
    Fetching {
        done: usize,
        total: usize,
    },
    /// The clock has to pass the last publish's date first.
    WaitingForClock {
        seconds: i64,
    },
    Writing {
        files: usize,
        bytes: u64,
    },
    Signing {
        suites: usize,
    },
    Gate,
    Committed {
        generation: u64,
    },
    /// Files of earlier generations that were out of grace.
    Collected {
        removed: usize,
    },
}

/// Takes [`Event`]s. Prints nothing by itself.
pub type Events<'a> = &'a (dyn Fn(Event) + Sync);

/// How to open a repository.
#[derive(Clone, Copy)]
pub struct Open<'a> {
    /// The public keys (binary) of which one must have signed what is published; None: it is believed as it is.
    pub keys: Option<&'a [u8]>,
    /// Wait for another process that has the lock, rather than fail.
    pub wait: bool,
    pub events: Events<'a>,
}

/// The output directory, locked: nobody else writes to it while this lives.
pub struct Repository<'a> {
    root: PathBuf,
    /// The root, open: for syncfs(2), which reports what went wrong with writing since it was opened.
    directory: File,
    head: Option<Manifest>,
    /// Index and signed files of what is published that are no longer what was written: made anew by the next publish.
    spoilt: Vec<String>,
    events: Events<'a>,
    _lock: Lock,
}

impl std::fmt::Debug for Repository<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repository").field("root", &self.root).finish_non_exhaustive()
    }
}

impl<'a> Repository<'a> {
    /// Makes the directory if need be, locks it, cleans up after a publish that was cut short, and reads what is
    /// published. Changes nothing else.
    ///
    /// What was touched since the commit is read again and compared with the manifest: see [`touched`].
    ///
    /// # Errors
    /// `lock-held`, `not-our-repository`, `repository-damaged`, `published-untrusted`, `manifest-too-new`,
    /// `repository-unwritable`.
    pub fn open(root: &Path, options: Open<'a>) -> Result<Repository<'a>, Vec<Diagnostic>> {
        let one = |d: Diagnostic| vec![d];
        repair::refuse_no_directory(root).map_err(one)?;
        std::fs::create_dir_all(root).map_err(|e| one(store::failed("make", root, &e)))?;
        let root = root.canonicalize().map_err(|e| one(store::failed("open", root, &e)))?;
        let lock = Lock::take(&root, options.wait, options.events).map_err(one)?;
        let directory = File::open(&root).map_err(|e| one(store::failed("open", &root, &e)))?;
        let head = generation::head(&root, options.keys)?;
        let unfinished = repair::is_unfinished(&root);
        if head.is_none() && !unfinished {
            repair::refuse_foreign(&root).map_err(one)?;
        }
        if unfinished {
            let removed = repair::repair(&root, head.as_ref()).map_err(one)?;
            (options.events)(Event::Repaired { removed });
        }
        let mut spoilt = Vec::new();
        if let Some(head) = &head {
            let since = touched::Since::commit(&root);
            repair::check_pool(&root, head, |meta| since.is_before(meta)).map_err(one)?;
            spoilt = touched::spoilt(&root, head, since, options.keys);
        }
        if !spoilt.is_empty() {
            (options.events)(Event::Spoilt { files: spoilt.clone() });
        }
        Ok(Repository { root, directory, head, spoilt, events: options.events, _lock: lock })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What is published; None before the first publish.
    pub fn head(&self) -> Option<&Manifest> {
        self.head.as_ref()
    }

    /// The bytes of a file of the pool, checked against the manifest.
    pub fn pool_file(&self, filename: &str) -> Result<Vec<u8>, Diagnostic> {
        let path = self.root.join(filename);
        let bytes = std::fs::read(&path).map_err(|e| store::failed("read", &path, &e))?;
        let known = self.head.iter().flat_map(|head| &head.packages).find(|record| record.filename == filename);
        if let Some(record) = known
            && store::sha256(&bytes) != record.sha256
        {
            return Err(repair::damaged(&[format!("{filename} has other contents than were published")]));
        }
        Ok(bytes)
    }

    fn emit(&self, event: Event) {
        (self.events)(event);
    }
}

/// What is published in a directory, without locking it: for showing and comparing. Believed as it is.
pub fn published(root: &Path) -> Result<Option<Manifest>, Vec<Diagnostic>> {
    generation::head(root, None)
}

/// The same, if one of these public keys (binary) has signed it.
pub fn trusted(root: &Path, keys: &[u8]) -> Result<Option<Manifest>, Vec<Diagnostic>> {
    generation::head(root, Some(keys))
}

fn damaged_manifest(path: &Path, why: &str) -> Diagnostic {
    Diagnostic::new(&rules::repository_damaged::RULE, format!("the manifest {} can't be read: {why}", path.display()))
        .help(
            "put the output directory back from a backup, or build into an empty one: it is filled from the public URI",
        )
}
