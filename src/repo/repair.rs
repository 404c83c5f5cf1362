//! Cleaning up after a publish that was cut short, by a crash, a full disk or a refusing gate: whatever no manifest
//! in force needs goes. What is published is never touched.

use super::collect::{References, remove_pool_file, remove_tree};
use super::manifest::Manifest;
use super::{generation, store};
use crate::diagnostics::{Diagnostic, rules};
use rayon::prelude::*;
use std::io::ErrorKind;
use std::path::Path;

/// There from before the first byte of a publish until after its last.
pub const MARKER: &str = ".unfinished";

/// What the marker says: a file of this name that says something else is somebody else's.
const MARKER_TEXT: &str = "debrole publishes here: what no manifest names is removed by the next build\n";

/// Whether there is a marker of ours.
pub fn is_unfinished(root: &Path) -> bool {
    let path = root.join(MARKER);
    std::fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file() && meta.len() == MARKER_TEXT.len() as u64)
        && std::fs::read(&path).is_ok_and(|bytes| bytes == MARKER_TEXT.as_bytes())
}

/// Says that a publish is under way. The marker is never there without its text.
pub fn begin(root: &Path) -> Result<(), Diagnostic> {
    let path = root.join(MARKER);
    let temporary = root.join(format!("{}unfinished", store::TEMPORARY));
    std::fs::write(&temporary, MARKER_TEXT)
        .and_then(|()| std::fs::rename(&temporary, &path))
        .inspect_err(|_| drop(std::fs::remove_file(&temporary)))
        .map_err(|e| store::failed("write", &path, &e))
}

/// Says that it is through.
pub fn end(root: &Path) -> Result<(), Diagnostic> {
    store::remove(&root.join(MARKER)).map(drop)
}

/// Refuses what is there and is no directory: a file, or a symlink that leads nowhere.
pub fn refuse_no_directory(root: &Path) -> Result<(), Diagnostic> {
    let what = match (std::fs::metadata(root), std::fs::read_link(root)) {
        (Ok(meta), _) if meta.is_dir() => return Ok(()),
        (Err(_), Ok(target)) => format!("a symlink to {}, where there is no directory", target.display()),
        (Ok(_), _) => "not a directory".to_owned(),
        (Err(_), Err(_)) => return Ok(()),
    };
    Err(Diagnostic::new(&rules::not_our_repository::RULE, format!("the output directory {} is {what}", root.display()))
        .help("name an empty or new directory with --out, or move away what is there"))
}

/// Refuses a directory in which nothing is published, but which has files where ours would be: somebody else's, or a
/// repository that has lost its `dists`. To clean up after a failed publish would remove them.
pub fn refuse_foreign(root: &Path) -> Result<(), Diagnostic> {
    let marker = root.join(MARKER);
    if std::fs::symlink_metadata(&marker).is_ok() && !is_unfinished(root) {
        return Err(Diagnostic::new(
            &rules::not_our_repository::RULE,
            format!("{} is not the mark that debrole makes while it publishes", marker.display()),
        )
        .help("name an empty or new output directory with --out"));
    }
    for name in ["pool", store::BY_HASH, generation::GENERATIONS] {
        let path = root.join(name);
        if holds_files(&path)? {
            return Err(Diagnostic::new(
                &rules::not_our_repository::RULE,
                format!("{} has files in it, but there is no {}", path.display(), root.join(generation::DISTS).display()),
            )
            .help("name an empty or new output directory with --out")
            .help("if it is a repository of debrole's that lost its symlink: ln -s generations/NUMBER dists, with the highest number"));
        }
    }
    Ok(())
}

fn holds_files(path: &Path) -> Result<bool, Diagnostic> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if !meta.is_dir() => return Ok(true),
        Ok(_) => {}
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(store::failed("read", path, &e)),
    }
    for entry in std::fs::read_dir(path).map_err(|e| store::failed("read", path, &e))? {
        let entry = entry.map_err(|e| store::failed("read", path, &e))?;
        if holds_files(&entry.path())? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes temporary files, half generations, index and pool files that `head` (what is published) does not need.
/// Says how many went. May itself be cut short at any point: the marker goes last.
pub fn repair(root: &Path, head: Option<&Manifest>) -> Result<usize, Diagnostic> {
    let needed = References::of(head);
    let mut removed = 0;
    for name in names(root)? {
        let path = root.join(&name);
        if name.starts_with(store::TEMPORARY) || (!needed.links.contains(&name) && is_stable_link(&path)) {
            removed += usize::from(store::remove(&path)?);
        }
    }
    for name in names(&root.join(generation::GENERATIONS))? {
        if !name.parse().is_ok_and(|number| needed.generations.contains(&number)) {
            removed += usize::from(remove_tree(&root.join(generation::GENERATIONS).join(name))?);
        }
    }
    for name in names(&root.join(store::BY_HASH))? {
        if !needed.by_hash.contains(&name) {
            removed += usize::from(store::remove(&root.join(store::BY_HASH).join(name))?);
        }
    }
    for folder in names(&root.join("pool"))? {
        let files = names(&root.join("pool").join(&folder))?;
        if files.is_empty() {
            let _ = std::fs::remove_dir(root.join("pool").join(&folder));
        }
        for file in files {
            let filename = format!("pool/{folder}/{file}");
            if !needed.pool.contains(&filename) {
                removed += usize::from(remove_pool_file(root, &filename)?);
            }
        }
    }
    end(root)?;
    Ok(removed)
}

/// A symlink `….deb` → `dists/….deb` at the root, as publishing makes.
fn is_stable_link(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "deb")
        && std::fs::read_link(path).is_ok_and(|target| target.starts_with(generation::DISTS))
}

/// The names in a directory, sorted; none where there is no directory.
fn names(directory: &Path) -> Result<Vec<String>, Diagnostic> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(e) => return Err(store::failed("read", directory, &e)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| store::failed("read", directory, &e))?;
        found.extend(entry.file_name().into_string());
    }
    found.sort();
    Ok(found)
}

/// That every file of the package set is there with its size; and with its content, where `hash` says so of what the
/// file system knows of it.
pub fn check_pool(
    root: &Path,
    head: &Manifest,
    hash: impl Fn(&std::fs::Metadata) -> bool + Sync,
) -> Result<(), Diagnostic> {
    let wrong: Vec<String> = head
        .packages
        .par_iter()
        .filter_map(|record| match std::fs::metadata(root.join(&record.filename)) {
            Ok(meta) if meta.len() != record.size => {
                Some(format!("{} has {} bytes, {} were published", record.filename, meta.len(), record.size))
            }
            Ok(meta) if hash(&meta) => match std::fs::read(root.join(&record.filename)) {
                Ok(bytes) if store::sha256(&bytes) == record.sha256 => None,
                Ok(_) => Some(format!("{} has other contents than were published", record.filename)),
                Err(e) => Some(format!("{}: {e}", record.filename)),
            },
            Ok(_) => None,
            Err(e) => Some(format!("{}: {e}", record.filename)),
        })
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(damaged(&wrong)) }
}

/// `repository-damaged`, with the first few of the files.
pub fn damaged(wrong: &[String]) -> Diagnostic {
    let mut diagnostic = Diagnostic::new(
        &rules::repository_damaged::RULE,
        match wrong {
            [one] => format!("a published file is damaged: {one}"),
            _ => format!("{} published files are damaged", wrong.len()),
        },
    )
    .help("put them back from a backup or from the public server; or build into an empty directory: it is filled from the public URI");
    if wrong.len() > 1 {
        for each in wrong.iter().take(8) {
            diagnostic = diagnostic.note(each.clone());
        }
    }
    diagnostic
}
