//! From the content of a package to the bytes of a .deb, and back. Knows nothing of roles or fleets.
//!
//! A .deb (deb(5)) is an `ar` archive of `debian-binary`, `control.tar.gz` and `data.tar.gz`. The bytes depend on
//! the arguments alone: entries are sorted and owned by root, times are the package's, the gzip headers carry
//! neither time nor name and the compressor's level is pinned.

pub mod ar;
pub mod control;
pub mod gzip;
pub mod read;
pub mod stanza;
pub mod tar;

use crate::names::PackageName;
use crate::plan::{ControlMember, DebContent, Entry};
use crate::relation::Relation;
use sha2::Digest;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// The control field that carries the content hash (lower case hex).
pub const CONTENT_FIELD: &str = "Debrole-Content";
/// The control field that lists where the package took over files from, as `name (<< version)`: what of `Breaks` and
/// `Replaces` was generated and is carried on to later versions.
pub const MOVED_FIELD: &str = "Debrole-Moved-From";

/// What would make an archive or control file that dpkg misreads: a line break in a one-line field, a path that is
/// both file and directory. A sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unwritable(pub String);

/// A package whose content is known, but not its version.
#[derive(Debug, Clone, Copy)]
pub struct Package<'a> {
    pub name: &'a PackageName,
    /// `Name <mail@address>`.
    pub maintainer: &'a str,
    pub content: &'a DebContent,
}

/// What a package gets when it is built: all that its content hash leaves out.
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'a> {
    pub version: &'a str,
    /// As [`Package::content_hash`] says.
    pub content_hash: &'a str,
    /// Relations `name (<< version)` on packages that it took files from: written to `Breaks` and `Replaces`
    /// (Debian Policy 7.6.1).
    pub moved_from: &'a [Relation],
    /// The text of /usr/share/doc/<name>/changelog.gz, newest entry first (deb-changelog(5)).
    pub changelog: &'a str,
    /// /usr/share/doc/<name>/copyright (Debian Policy 12.5), unless the content's entries hold one.
    pub copyright: &'a str,
    /// Seconds since 1970 UTC: the time of everything in the archive.
    pub time: i64,
}

/// A finished package.
#[derive(Debug, Clone)]
pub struct Deb {
    pub bytes: Vec<u8>,
    /// Of the bytes, lower case hex.
    pub sha256: String,
    /// The control file without its final newline.
    pub control: String,
}

/// Lower case hex of the SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(&sha2::Sha256::digest(bytes))
}

impl Package<'_> {
    /// The hash over everything that a machine would notice: the control file without version, hash, installed size
    /// and generated relations; scripts, triggers and conffiles; path, kind, mode and content of every entry. It
    /// leaves out the changelog and a generated copyright file. Equal hashes: the published .deb is still right.
    pub fn content_hash(&self) -> Result<String, Unwritable> {
        let mut hash = sha2::Sha256::new();
        let control = self.comparable_control()?;
        let mut line = String::new();
        let mut part = |head: std::fmt::Arguments<'_>, body: &[u8]| {
            line.clear();
            let _ = writeln!(line, "{head} {}", body.len());
            hash.update(line.as_bytes());
            hash.update(body);
        };
        part(format_args!("debrole-content 1"), control.as_bytes());
        for (member, text) in &self.content.scripts {
            part(format_args!("member {}", member.file_name()), text.as_bytes());
        }
        for (path, entry) in &self.content.entries {
            match entry {
                Entry::File { mode, bytes } => part(format_args!("file {path} {mode:o}"), bytes),
                Entry::Symlink { target } => part(format_args!("link {path}"), target.as_bytes()),
                Entry::Directory { mode } => part(format_args!("directory {path} {mode:o}"), b""),
            }
        }
        Ok(base16ct::lower::encode_string(&hash.finalize()))
    }

    /// The control file as the content hash sees it: without version, hash, installed size and generated relations.
    pub fn comparable_control(&self) -> Result<String, Unwritable> {
        control::text(self, None)
    }

    /// The bytes of the .deb.
    pub fn write(&self, stamp: &Stamp<'_>) -> Result<Deb, Unwritable> {
        let documents = Documents::of(self.name, stamp);
        let entries = self.entries(stamp, &documents)?;
        let mut control = control::text(self, Some((stamp, installed_size(&entries))))?;
        let mut members: BTreeMap<&str, (u32, &[u8])> = BTreeMap::new();
        for (member, text) in &self.content.scripts {
            members.insert(member.file_name(), (member.mode(), text.as_bytes()));
        }
        let md5sums = self.md5sums(&entries);
        members.insert("control", (0o644, control.as_bytes()));
        members.insert("md5sums", (0o644, md5sums.as_bytes()));

        let time = u64::try_from(stamp.time).unwrap_or(0);
        let mut plain = tar::Writer::new(time);
        plain.directory("./", 0o755);
        for (member, (mode, bytes)) in members {
            plain.file(&["./", member].concat(), mode, bytes);
        }
        let control_tar = gzip::compress(&plain.finish(), gzip::Level::Package);

        let mut plain = tar::Writer::new(time);
        plain.directory("./", 0o755);
        for (path, item) in &entries {
            match *item {
                Item::File { mode, bytes } => plain.file(&[".", path].concat(), mode, bytes),
                Item::Symlink { target } => plain.symlink(&[".", path].concat(), target),
                Item::Directory { mode } => plain.directory(&[".", path, "/"].concat(), mode),
            }
        }
        let data_tar = gzip::compress(&plain.finish(), gzip::Level::Package);

        let bytes = ar::write(
            time,
            &[("debian-binary", b"2.0\n"), ("control.tar.gz", &control_tar), ("data.tar.gz", &data_tar)],
        );
        control.truncate(control.trim_end_matches('\n').len());
        control.shrink_to_fit();
        Ok(Deb { sha256: sha256(&bytes), bytes, control })
    }

    /// The content's entries with changelog, copyright and every parent directory, by path.
    fn entries<'a>(
        &'a self,
        stamp: &'a Stamp<'_>,
        documents: &'a Documents,
    ) -> Result<BTreeMap<&'a str, Item<'a>>, Unwritable> {
        let mut entries: BTreeMap<&str, Item<'_>> = BTreeMap::new();
        entries.insert(&documents.copyright_path, Item::File { mode: 0o644, bytes: stamp.copyright.as_bytes() });
        for (path, entry) in &self.content.entries {
            let item = match entry {
                Entry::File { mode, bytes } => Item::File { mode: *mode, bytes },
                Entry::Symlink { target } if target.is_empty() || target.contains('\0') => {
                    return Err(Unwritable(format!("the target of the symlink {path} is empty or holds a null byte")));
                }
                Entry::Symlink { target } => Item::Symlink { target },
                Entry::Directory { mode } => Item::Directory { mode: *mode },
            };
            entries.insert(path.as_str(), item);
        }
        entries.insert(&documents.changelog_path, Item::File { mode: 0o644, bytes: &documents.changelog });
        let mut parents = BTreeSet::new();
        for path in entries.keys() {
            let mut below = parent(path);
            while !below.is_empty() {
                match entries.get(below) {
                    None => {
                        if !parents.insert(below) {
                            break;
                        }
                    }
                    Some(Item::Directory { .. }) => {}
                    Some(_) => {
                        return Err(Unwritable(format!("{below} is a file or link, but {path} lies below it")));
                    }
                }
                below = parent(below);
            }
        }
        for path in parents {
            entries.insert(path, Item::Directory { mode: 0o755 });
        }
        Ok(entries)
    }

    /// As dh_md5sums writes it: every file but the conffiles.
    fn md5sums(&self, entries: &BTreeMap<&str, Item<'_>>) -> String {
        let conffiles = self.content.scripts.get(&ControlMember::Conffiles).map_or("", String::as_str);
        let mut sums = String::new();
        for (path, entry) in entries {
            if let Item::File { bytes, .. } = entry
                && !conffiles.lines().any(|line| line == *path)
            {
                let digest = base16ct::lower::encode_string(&md5::Md5::digest(bytes));
                let _ = writeln!(sums, "{digest}  {}", &path[1..]);
            }
        }
        sums
    }
}

/// What is written at a path.
#[derive(Debug, Clone, Copy)]
enum Item<'a> {
    File { mode: u32, bytes: &'a [u8] },
    Symlink { target: &'a str },
    Directory { mode: u32 },
}

/// The two files that every package has below /usr/share/doc (Debian Policy 12.5, 12.7).
struct Documents {
    changelog_path: String,
    changelog: Vec<u8>,
    copyright_path: String,
}

impl Documents {
    fn of(name: &PackageName, stamp: &Stamp<'_>) -> Documents {
        Documents {
            changelog_path: format!("/usr/share/doc/{name}/changelog.gz"),
            changelog: gzip::compress(stamp.changelog.as_bytes(), gzip::Level::Best),
            copyright_path: format!("/usr/share/doc/{name}/copyright"),
        }
    }
}

/// The directory that a path is in; empty for what is at the top.
fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// As dpkg-gencontrol(1) estimates it: files rounded up to whole KiB, one KiB for anything else. In KiB.
fn installed_size(entries: &BTreeMap<&str, Item<'_>>) -> u64 {
    let size = |item: &Item<'_>| match item {
        Item::File { bytes, .. } => (bytes.len() as u64).div_ceil(1024),
        Item::Symlink { .. } | Item::Directory { .. } => 1,
    };
    entries.values().map(size).sum()
}
