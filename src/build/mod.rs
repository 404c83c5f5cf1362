//! From plans and what is published to versions, records and bytes. Two steps: [`draft`] finds out what every package
//! becomes (its version, changelog and relations, or that the published one is still right) and everything that can be
//! wrong; [`Draft::write`] makes the bytes of the new ones, in parallel, and hands each to a [`Sink`] as it is
//! finished. So nothing is written anywhere before the whole build is known to be right.
//!
//! The result depends on the input alone: same model, plans, manifest and time, same bytes.

pub mod access;
pub mod change;
pub mod changelog;
mod difference;
mod draft;
mod moved;
mod outcome;
mod site;
pub mod version;

pub use change::{Change, What};
pub use draft::draft;

use crate::deb;
use crate::diagnostics::{Diagnostic, rules};
use crate::model::Model;
use crate::names::{Codename, PackageName};
use crate::plan::{DebContent, Entry, PackageKind, PackagePlan};
use crate::relation::Relation;
use crate::repo::manifest::{Manifest, PackageRecord};
use crate::source::Span;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Everything that a build depends on.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    pub model: &'a Model,
    /// Sorted by name, each name once.
    pub plans: &'a [PackagePlan],
    /// What is published; None before the first publish.
    pub previous: Option<&'a Manifest>,
    /// The pool of what is published.
    pub published: &'a dyn Published,
    /// Seconds since 1970 UTC.
    pub time: i64,
    /// Host keys that were published for machines which never came to be, as type and key: no one has to be told that they
    /// are not in use any more.
    pub withdrawn: &'a [String],
}

/// Reads what is published.
pub trait Published: Sync {
    /// The bytes of a pool file; `filename` as in its record, `pool/…`.
    fn read(&self, filename: &str) -> std::io::Result<Vec<u8>>;
}

/// Takes the new .debs as they are finished: from several threads, in no particular order.
pub trait Sink: Sync {
    fn put(&self, deb: NewDeb<'_>) -> Result<(), Diagnostic>;
}

/// A .deb that is not in the pool yet.
#[derive(Debug, Clone, Copy)]
pub struct NewDeb<'a> {
    /// `pool/…`
    pub filename: &'a str,
    pub bytes: &'a [u8],
    /// Lower case hex.
    pub sha256: &'a str,
}

/// Keeps all of them in memory, by file name.
impl Sink for Mutex<BTreeMap<String, Vec<u8>>> {
    fn put(&self, deb: NewDeb<'_>) -> Result<(), Diagnostic> {
        let mut all = self.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.insert(deb.filename.to_string(), deb.bytes.to_vec());
        Ok(())
    }
}

/// What a build makes of the package set.
#[derive(Debug, Clone)]
pub struct Build {
    /// The whole new set, sorted by name, then version.
    pub records: Vec<PackageRecord>,
    /// A change a name, sorted by name; those that stay as they are too.
    pub changes: Vec<Change>,
    /// As in [`Manifest::highest`].
    pub highest: BTreeMap<PackageName, String>,
}

/// A build that is decided, but for the bytes.
pub struct Draft {
    /// A change a name, sorted by name; those that stay as they are too.
    pub changes: Vec<Change>,
    /// What people gain and lose by it, by name.
    pub access: Vec<crate::access::rights::Difference>,
    /// As in [`Manifest::highest`], after this build.
    pub highest: BTreeMap<PackageName, String>,
    /// The time of everything that is made: the input's, but always after the last publish.
    time: i64,
    maintainer: String,
    /// See [`outcome::copyright`].
    copyright: String,
    /// Published records that stay right.
    kept: Vec<PackageRecord>,
    jobs: Vec<Job>,
    site: Vec<site::Published>,
}

/// A .deb to be made.
struct Job {
    name: PackageName,
    kind: PackageKind,
    span: Option<Span>,
    content: Arc<DebContent>,
    releases: Vec<Codename>,
    version: String,
    content_hash: String,
    moved_from: Vec<Relation>,
    changelog: String,
    in_place: Vec<String>,
}

impl Draft {
    /// Whether the package set stays as it is published: no package new, changed or gone, none listed for other
    /// releases.
    pub fn is_unchanged(&self) -> bool {
        !self.changes.iter().any(Change::is_change)
    }

    /// Makes the new .debs and hands them to the sink; each one's content ends with that. An error is the sink's own or
    /// that of a package which can't be written.
    pub fn write(self, sink: &dyn Sink) -> Result<Build, Vec<Diagnostic>> {
        let Draft { changes, highest, time, maintainer, copyright, kept: mut records, jobs, site, access: _ } = self;
        let made: Vec<Result<PackageRecord, Diagnostic>> =
            jobs.into_par_iter().map(|job| make(job, &maintainer, &copyright, time, sink)).collect();
        let site = site.into_par_iter().map(|new| {
            let record = new.record;
            sink.put(NewDeb { filename: &record.filename, bytes: &new.bytes, sha256: &record.sha256 })?;
            Ok(record)
        });
        let site: Vec<Result<PackageRecord, Diagnostic>> = site.collect();
        let mut wrong = Vec::new();
        for result in made.into_iter().chain(site) {
            match result {
                Ok(record) => records.push(record),
                Err(diagnostic) => wrong.push(diagnostic),
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        records.sort_by(|a, b| {
            a.name.cmp(&b.name).then_with(|| {
                let order = version::compare(&a.version, &b.version);
                order.unwrap_or_else(|| a.version.cmp(&b.version)).then_with(|| a.architecture.cmp(&b.architecture))
            })
        });
        Ok(Build { records, changes, highest })
    }
}

fn make(job: Job, maintainer: &str, copyright: &str, time: i64, sink: &dyn Sink) -> Result<PackageRecord, Diagnostic> {
    let package = deb::Package { name: &job.name, maintainer, content: &job.content };
    let stamp = deb::Stamp {
        version: &job.version,
        content_hash: &job.content_hash,
        moved_from: &job.moved_from,
        changelog: &job.changelog,
        copyright: &format!("{}{copyright}", job.name),
        time,
    };
    let made = package.write(&stamp).map_err(|error| unwritable(&job.name, job.span, &error))?;
    let filename = pool_file(job.kind, &job.name, &job.version, "all");
    sink.put(NewDeb { filename: &filename, bytes: &made.bytes, sha256: &made.sha256 })?;
    Ok(PackageRecord {
        name: job.name,
        version: job.version,
        architecture: "all".into(),
        kind: job.kind,
        releases: job.releases,
        filename,
        size: made.bytes.len() as u64,
        sha256: made.sha256,
        content: job.content_hash,
        control: made.control,
        in_place: job.in_place,
    })
}

/// Releases that are published and have left debrole.toml, each as a warning.
pub fn dropped_releases(model: &Model, previous: Option<&Manifest>) -> Vec<Diagnostic> {
    let published = previous.into_iter().flat_map(|manifest| manifest.suites.keys());
    let dropped = published.filter(|suite| model.fleet.release(suite).is_none());
    let warning = |suite: &Codename| {
        Diagnostic::new(
            &rules::release_dropped::RULE,
            format!("{suite} is no longer published: machines that run it fail at their next apt-get update"),
        )
        .at(model.fleet.span, format!("there is no [release.{suite}]"))
        .help(format!("put [release.{suite}] back until the last machine has been upgraded to a later release"))
        .help(format!(
            "or remove {0}-archive-keyring on the machines that stay (apt-get purge {0}-archive-keyring)",
            model.fleet.prefix
        ))
    };
    dropped.map(warning).collect()
}

/// What is wrong with the site's own packages, as far as it can be told without what is published.
pub fn check_site_packages(model: &Model, plans: &[PackagePlan]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    site::publish(model, plans, None, &mut found);
    found
}

/// [`draft`] and [`Draft::write`] in one.
pub fn build(input: Input<'_>, sink: &dyn Sink) -> Result<Build, Vec<Diagnostic>> {
    draft(input)?.write(sink)
}

/// Where a package lies below the repository's root: in a folder for its kind (one for each name would make a third
/// of the time of a first publish; ext4 places every new directory with care). Neither `+` nor `:` is in the name:
/// some servers and stores take the first for a space, some file systems refuse the second.
pub fn pool_file(kind: PackageKind, name: &PackageName, version: &str, architecture: &str) -> String {
    let folder = match kind {
        PackageKind::Role => "roles",
        PackageKind::Host => "hosts",
        PackageKind::Access => "access",
        PackageKind::Site => "site",
        PackageKind::Tombstone => "gone",
        _ => "fleet",
    };
    format!("pool/{folder}/{name}_{}_{architecture}.deb", version.replace(['+', ':'], "."))
}

/// What a package ships in place: canonical paths of files and symlinks that are neither payload (below
/// /usr/share/<prefix>/) nor documentation. Sorted.
fn in_place(prefix: &str, content: &DebContent) -> Vec<String> {
    let payload = format!("/usr/share/{prefix}/");
    let mut paths: Vec<String> = content
        .entries
        .iter()
        .filter(|(path, entry)| {
            let path = path.as_str();
            !matches!(entry, Entry::Directory { .. })
                && !path.starts_with(&payload)
                && !path.starts_with("/usr/share/doc/")
        })
        .map(|(path, _)| path.canonical().to_string())
        .collect();
    paths.sort();
    paths
}

fn unwritable(name: &PackageName, span: Option<Span>, error: &deb::Unwritable) -> Diagnostic {
    let diagnostic = Diagnostic::new(&rules::package_unwritable::RULE, format!("{name} can't be written: {error}"))
        .help("mend what the file below says, or debrole.toml if it is the maintainer or the homepage");
    match span {
        Some(span) => diagnostic.at(span, "the package is made from this file"),
        None => diagnostic,
    }
}
