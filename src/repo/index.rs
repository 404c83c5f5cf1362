//! Packages indexes: what apt reads, made from the records of the package set. Pure.

use super::manifest::{FileHash, PackageRecord};
use super::xz::Known;
use super::{COMPONENT, store};
use crate::names::{Architecture, Codename};
use flate2::{Compression, GzBuilder};
use lzma_rust2::{XzOptions, XzWriter};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;

/// The indexes of all suites and architectures: which files there are, and the bytes of each distinct one.
#[derive(Debug, Clone, Default)]
pub struct Indexes {
    /// Suite → path below `dists/<suite>/` → size and hash: what Release lists.
    pub suites: BTreeMap<Codename, BTreeMap<String, FileHash>>,
    /// Bytes by hash. What [is published](Before) has none.
    pub contents: BTreeMap<String, Arc<[u8]>>,
}

/// What is published already, and so need not be compressed again.
#[derive(Clone, Copy)]
pub struct Before<'a> {
    /// The compressed forms of an index, by the hash of its text: (Packages.gz, Packages.xz).
    pub forms: &'a (dyn Fn(&str) -> Option<[FileHash; 2]> + Sync),
    /// The index of a suite as it is published, by suite and path: read and checked. Of one suite only, whichever is to
    /// be made first: it has nearly all that the others have, and each is megabytes.
    pub index: &'a (dyn Fn(&Codename, &str) -> Option<Earlier> + Sync),
}

/// An index as it is published.
#[derive(Debug)]
pub struct Earlier {
    pub text: Vec<u8>,
    pub xz: Vec<u8>,
}

impl Before<'_> {
    /// Nothing is published.
    pub const NOTHING: Before<'static> = Before { forms: &|_| None, index: &|_, _| None };
}

/// Makes every index. Equal texts (suites that list the same packages) are made and compressed once, each form as a
/// task of its own; a text that is published is not compressed at all.
pub fn make(
    records: &[PackageRecord],
    suites: &[Codename],
    architectures: &[Architecture],
    before: Before<'_>,
) -> Indexes {
    // Which text each suite and architecture has: those that list the same packages have the same.
    let mut texts: Vec<Text<'_>> = Vec::new();
    let mut pairs: Vec<(&Codename, &Architecture, usize)> = Vec::new();
    for suite in suites {
        for architecture in architectures {
            let listed = listed(records, suite, architecture);
            let known = texts.iter().position(|text| text.listed == listed);
            pairs.push((suite, architecture, known.unwrap_or(texts.len())));
            if known.is_none() {
                texts.push(Text { listed, path: path(architecture), suite });
            }
        }
    }
    let texts: Vec<(FileHash, Arc<[u8]>, &Text<'_>)> = texts
        .par_iter()
        .map(|text| {
            let bytes: Arc<[u8]> = stanzas(&text.listed).into_bytes().into();
            (file_hash(&bytes), bytes, text)
        })
        .collect();

    let mut indexes = Indexes::default();
    let known: Vec<Option<[FileHash; 2]>> = texts.par_iter().map(|(hash, ..)| (before.forms)(&hash.sha256)).collect();
    let wanted: Vec<_> = texts.iter().zip(&known).filter(|(_, known)| known.is_none()).map(|(text, _)| text).collect();
    let earlier = wanted.iter().find(|(_, bytes, _)| bytes.len() > SMALL);
    let earlier = earlier.and_then(|(_, _, text)| (before.index)(text.suite, &text.path));
    let earlier = earlier.as_ref().map_or_else(Known::default, |earlier| Known::of(&earlier.text, &earlier.xz));
    let bytes: Vec<&[u8]> = wanted.iter().map(|(_, bytes, _)| &**bytes).collect();
    let (gz, xz) = rayon::join(|| bytes.par_iter().map(|text| gz(text)).collect::<Vec<_>>(), || xz(&bytes, &earlier));
    let made: Vec<Forms> = gz
        .into_par_iter()
        .zip(xz)
        .map(|(gz, xz)| {
            let made: [Arc<[u8]>; 2] = [gz.into(), xz.into()];
            Forms { hashes: [file_hash(&made[0]), file_hash(&made[1])], made: Some(made) }
        })
        .collect();
    let mut made = made.into_iter();
    let forms: Vec<Forms> = known
        .into_iter()
        .map(|known| match known {
            Some(hashes) => Forms { hashes, made: None },
            None => made.next().expect("each text that is not known was made"),
        })
        .collect();
    for ((hash, bytes, _), Forms { hashes, made }) in texts.iter().zip(&forms) {
        indexes.contents.insert(hash.sha256.clone(), bytes.clone());
        for (hash, bytes) in hashes.iter().zip(made.iter().flatten()) {
            indexes.contents.insert(hash.sha256.clone(), bytes.clone());
        }
    }
    for (suite, architecture, text) in pairs {
        let path = path(architecture);
        let files = indexes.suites.entry(suite.clone()).or_default();
        let [gz, xz] = &forms[text].hashes;
        files.insert(format!("{path}.gz"), gz.clone());
        files.insert(format!("{path}.xz"), xz.clone());
        files.insert(path, texts[text].0.clone());
    }
    indexes
}

/// Packages.gz and Packages.xz.
struct Forms {
    hashes: [FileHash; 2],
    /// None where they are published already.
    made: Option<[Arc<[u8]>; 2]>,
}

/// A Packages text that is to be made.
struct Text<'a> {
    listed: Vec<&'a PackageRecord>,
    /// The first suite and path that have it.
    suite: &'a Codename,
    path: String,
}

/// Below `dists/<suite>/`.
fn path(architecture: &Architecture) -> String {
    format!("{COMPONENT}/binary-{architecture}/Packages")
}

fn file_hash(bytes: &[u8]) -> FileHash {
    FileHash { size: bytes.len() as u64, sha256: store::sha256(bytes) }
}

/// The text of one Packages file: a stanza a package, the control fields verbatim (Debian/apt#23), then where its
/// .deb is and what it hashes to. Packages for all architectures are in each index.
pub fn packages(records: &[PackageRecord], suite: &Codename, architecture: &Architecture) -> String {
    stanzas(&listed(records, suite, architecture))
}

fn listed<'a>(records: &'a [PackageRecord], suite: &Codename, architecture: &Architecture) -> Vec<&'a PackageRecord> {
    let listed = records.iter().filter(|record| {
        (record.architecture == "all" || record.architecture == architecture.as_str())
            && record.releases.contains(suite)
    });
    listed.collect()
}

fn stanzas(listed: &[&PackageRecord]) -> String {
    const FIELDS: usize = "\nFilename: \nSize: 1234567\nSHA256: \n\n".len() + 64;
    let mut text =
        String::with_capacity(listed.iter().map(|record| record.control.len() + record.filename.len() + FIELDS).sum());
    for record in listed {
        let PackageRecord { control, filename, size, sha256, .. } = record;
        let _ = write!(text, "{control}\nFilename: {filename}\nSize: {size}\nSHA256: {sha256}\n\n");
    }
    text
}

/// Up to here an index is compressed as well as can be. A larger one is compressed fast, and its .xz in
/// [blocks](super::xz) that the next generation takes over; its .gz is for readers that know no xz.
const SMALL: usize = 256 * 1024;
const IN_MEMORY: &str = "writing into memory does not fail";

/// The same bytes for the same text, always: no time, no name, no threads.
fn gz(text: &[u8]) -> Vec<u8> {
    let level = if text.len() <= SMALL { 6 } else { 1 };
    let mut out = GzBuilder::new().mtime(0).write(Vec::new(), Compression::new(level));
    out.write_all(text).expect(IN_MEMORY);
    out.finish().expect(IN_MEMORY)
}

/// Likewise, whatever is known already and whatever else is made with it.
fn xz(texts: &[&[u8]], known: &Known<'_>) -> Vec<Vec<u8>> {
    let (large, small): (Vec<&[u8]>, Vec<&[u8]>) = texts.iter().partition(|text| text.len() > SMALL);
    let whole = |text: &&[u8]| {
        let mut out = XzWriter::new(Vec::new(), XzOptions::with_preset(6)).expect(IN_MEMORY);
        out.write_all(text).expect(IN_MEMORY);
        out.finish().expect(IN_MEMORY)
    };
    let (large, small) =
        rayon::join(|| super::xz::compress(&large, known), || small.par_iter().map(whole).collect::<Vec<Vec<u8>>>());
    let (mut large, mut small) = (large.into_iter(), small.into_iter());
    let made = texts.iter().map(|text| if text.len() > SMALL { large.next() } else { small.next() });
    made.map(|made| made.expect("one for each text")).collect()
}
