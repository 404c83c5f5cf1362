//! Packages indexes: what apt reads, made from the records of the package set. Pure.

use super::manifest::{FileHash, PackageRecord};
use super::{COMPONENT, store};
use crate::names::{Architecture, Codename};
use flate2::{Compression, GzBuilder};
use lzma_rust2::{XzOptions, XzWriter};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

/// The indexes of all suites and architectures: which files there are, and the bytes of each distinct one.
#[derive(Debug, Clone, Default)]
pub struct Indexes {
    /// Suite → path below `dists/<suite>/` → size and hash: what Release lists.
    pub suites: BTreeMap<Codename, BTreeMap<String, FileHash>>,
    /// Bytes by hash. What was [reused](make) has none.
    pub contents: BTreeMap<String, Arc<[u8]>>,
}

/// The compressed forms of an index that is known already, by the hash of its text: (Packages.gz, Packages.xz).
pub type Reuse<'a> = &'a (dyn Fn(&str) -> Option<[FileHash; 2]> + Sync);

/// Makes every index. Equal texts (suites that list the same packages) are compressed once, each form as a task of
/// its own; a text that `reuse` knows is not compressed at all.
pub fn make(
    records: &[PackageRecord],
    suites: &[Codename],
    architectures: &[Architecture],
    reuse: Reuse<'_>,
) -> Indexes {
    let pairs: Vec<(&Codename, &Architecture)> =
        suites.iter().flat_map(|suite| architectures.iter().map(move |architecture| (suite, architecture))).collect();
    let texts: Vec<(FileHash, Arc<[u8]>)> = pairs
        .par_iter()
        .map(|(suite, architecture)| {
            let text: Arc<[u8]> = packages(records, suite, architecture).into_bytes().into();
            (file_hash(&text), text)
        })
        .collect();

    let distinct: BTreeMap<&str, &Arc<[u8]>> = texts.iter().map(|(hash, text)| (hash.sha256.as_str(), text)).collect();
    let distinct: Vec<(&str, &Arc<[u8]>)> = distinct.into_iter().collect();
    let reused: Vec<Option<[FileHash; 2]>> = distinct.iter().map(|(hash, _)| reuse(hash)).collect();
    let tasks: Vec<(usize, Form)> =
        (0..distinct.len()).filter(|&i| reused[i].is_none()).flat_map(|i| [(i, Form::Xz), (i, Form::Gz)]).collect();
    let made: Vec<(usize, Form, FileHash, Arc<[u8]>)> = tasks
        .into_par_iter()
        .map(|(i, form)| {
            let bytes: Arc<[u8]> = form.compress(distinct[i].1).into();
            (i, form, file_hash(&bytes), bytes)
        })
        .collect();

    let mut indexes = Indexes::default();
    let mut forms: BTreeMap<&str, [Option<FileHash>; 2]> = BTreeMap::new();
    for ((hash, _), reused) in distinct.iter().zip(reused) {
        let known = reused.map_or([None, None], |[gz, xz]| [Some(gz), Some(xz)]);
        forms.insert(hash, known);
    }
    for (i, form, hash, bytes) in made {
        indexes.contents.insert(hash.sha256.clone(), bytes);
        forms.entry(distinct[i].0).or_default()[form as usize] = Some(hash);
    }
    for ((suite, architecture), (hash, text)) in pairs.into_iter().zip(&texts) {
        let files = indexes.suites.entry(suite.clone()).or_default();
        let path = format!("{COMPONENT}/binary-{architecture}/Packages");
        for (form, compressed) in [Form::Gz, Form::Xz].iter().zip(&forms[hash.sha256.as_str()]) {
            files.extend(compressed.clone().map(|c| (format!("{path}{}", form.suffix()), c)));
        }
        files.insert(path, hash.clone());
        indexes.contents.insert(hash.sha256.clone(), text.clone());
    }
    indexes
}

fn file_hash(bytes: &[u8]) -> FileHash {
    FileHash { size: bytes.len() as u64, sha256: store::sha256(bytes) }
}

/// The text of one Packages file: a stanza a package, the control fields verbatim (Debian/apt#23), then where its
/// .deb is and what it hashes to. Packages for all architectures are in each index.
pub fn packages(records: &[PackageRecord], suite: &Codename, architecture: &Architecture) -> String {
    let listed = records.iter().filter(|record| {
        (record.architecture == "all" || record.architecture == architecture.as_str())
            && record.releases.contains(suite)
    });
    let mut text = String::new();
    for record in listed {
        text.push_str(&record.control);
        text.push_str(&format!(
            "\nFilename: {}\nSize: {}\nSHA256: {}\n\n",
            record.filename, record.size, record.sha256
        ));
    }
    text
}

/// How an index is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Gz = 0,
    Xz = 1,
}

/// Up to here an index is compressed as well as can be; a larger one fast: its hashes don't compress at all, so that
/// preset 6 takes four times as long as preset 1 to save a fifth.
const SMALL: usize = 256 * 1024;

impl Form {
    fn suffix(self) -> &'static str {
        match self {
            Form::Gz => ".gz",
            Form::Xz => ".xz",
        }
    }
    /// The same bytes for the same text, always: no time, no name, no threads.
    fn compress(self, text: &[u8]) -> Vec<u8> {
        const IN_MEMORY: &str = "writing into memory does not fail";
        match self {
            Form::Gz => {
                let mut out = GzBuilder::new().mtime(0).write(Vec::new(), Compression::new(6));
                out.write_all(text).expect(IN_MEMORY);
                out.finish().expect(IN_MEMORY)
            }
            Form::Xz => {
                let preset = if text.len() <= SMALL { 6 } else { 1 };
                let mut out = XzWriter::new(Vec::new(), XzOptions::with_preset(preset)).expect(IN_MEMORY);
                out.write_all(text).expect(IN_MEMORY);
                out.finish().expect(IN_MEMORY)
            }
        }
    }
}
