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

use crate::names::{MachinePath, PackageName};
use crate::plan::{ControlMember, DebContent, Entry};
use crate::relation::Relation;
use sha2::Digest;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

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
        let entries = self.entries(stamp)?;
        let control = control::text(self, Some((stamp, installed_size(&entries))))?;
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
        for (name, (mode, bytes)) in members {
            plain.file(&format!("./{name}"), mode, bytes);
        }
        let control_tar = gzip::compress(&plain.finish(), gzip::Level::Package);

        let mut plain = tar::Writer::new(time);
        plain.directory("./", 0o755);
        for (path, entry) in &entries {
            match entry {
                Entry::File { mode, bytes } => plain.file(&format!(".{path}"), *mode, bytes),
                Entry::Symlink { target } => plain.symlink(&format!(".{path}"), target),
                Entry::Directory { mode } => plain.directory(&format!(".{path}/"), *mode),
            }
        }
        let data_tar = gzip::compress(&plain.finish(), gzip::Level::Package);

        let bytes = ar::write(
            time,
            &[("debian-binary", b"2.0\n"), ("control.tar.gz", &control_tar), ("data.tar.gz", &data_tar)],
        );
        let mut control = control;
        control.truncate(control.trim_end_matches('\n').len());
        control.shrink_to_fit();
        Ok(Deb { sha256: sha256(&bytes), bytes, control })
    }

    /// The content's entries with changelog, copyright and every parent directory.
    fn entries(&self, stamp: &Stamp<'_>) -> Result<BTreeMap<MachinePath, Entry>, Unwritable> {
        let mut entries = self.content.entries.clone();
        let changelog = gzip::compress(stamp.changelog.as_bytes(), gzip::Level::Best);
        entries.insert(self.document("changelog.gz")?, Entry::File { mode: 0o644, bytes: changelog.into() });
        entries
            .entry(self.document("copyright")?)
            .or_insert_with(|| Entry::File { mode: 0o644, bytes: Arc::from(stamp.copyright.as_bytes()) });
        let mut parents = BTreeSet::new();
        for path in entries.keys() {
            let mut below = path.parent();
            while below != "/" {
                match entries.get(below) {
                    None => {
                        if !parents.insert(MachinePath::parse(below).map_err(Unwritable)?) {
                            break;
                        }
                    }
                    Some(Entry::Directory { .. }) => {}
                    Some(_) => {
                        return Err(Unwritable(format!("{below} is a file or link, but {path} lies below it")));
                    }
                }
                below = &below[..below.rfind('/').unwrap_or(0)];
                if below.is_empty() {
                    break;
                }
            }
            if let Some(Entry::Symlink { target }) = entries.get(path.as_str())
                && (target.is_empty() || target.contains('\0'))
            {
                return Err(Unwritable(format!("the target of the symlink {path} is empty or holds a null byte")));
            }
        }
        for path in parents {
            entries.insert(path, Entry::Directory { mode: 0o755 });
        }
        Ok(entries)
    }

    fn document(&self, file: &str) -> Result<MachinePath, Unwritable> {
        MachinePath::parse(&format!("/usr/share/doc/{}/{file}", self.name)).map_err(Unwritable)
    }

    /// As dh_md5sums writes it: every file but the conffiles.
    fn md5sums(&self, entries: &BTreeMap<MachinePath, Entry>) -> String {
        let conffiles = self.content.scripts.get(&ControlMember::Conffiles).map_or("", String::as_str);
        let mut sums = String::new();
        for (path, entry) in entries {
            if let Entry::File { bytes, .. } = entry
                && !conffiles.lines().any(|line| line == path.as_str())
            {
                let digest = base16ct::lower::encode_string(&md5::Md5::digest(bytes));
                let _ = writeln!(sums, "{digest}  {}", &path.as_str()[1..]);
            }
        }
        sums
    }
}

/// As dpkg-gencontrol(1) estimates it: files rounded up to whole KiB, one KiB for anything else. In KiB.
fn installed_size(entries: &BTreeMap<MachinePath, Entry>) -> u64 {
    entries
        .values()
        .map(|entry| match entry {
            Entry::File { bytes, .. } => (bytes.len() as u64).div_ceil(1024),
            Entry::Symlink { .. } | Entry::Directory { .. } => 1,
        })
        .sum()
}
