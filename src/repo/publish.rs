//! Publishing: from a package set to a committed generation, in the order that keeps clients whole at every moment.
//!
//! Before the commit clients see the old generation, after it the new one; there is nothing in between. Whatever
//! fails before it leaves the old one, and the next start removes what was left lying about.

use super::clashes::{clashes, republished};
use super::collect::{self, References};
use super::gate::{Gate, GateReport, StagedTree};
use super::generation::{Generation, SignedSuite};
use super::index::Indexes;
use super::manifest::{FORMAT, FileHash, Manifest, PackageRecord};
use super::{Event, Repository, generation, index, manifest, release, repair, store};
use crate::diagnostics::{Diagnostic, rules};
use crate::names::{Architecture, Codename, PackageName};
use crate::sign::{SignError, Signer, key};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

/// A signature older than this is made anew even when nothing has changed. Seconds.
pub const RESIGN_AFTER: i64 = 86_400;
/// How far the clock may be behind the last publish: so long it is waited for. Seconds.
pub const CLOCK_TOLERANCE: i64 = 5;

/// What the Release files say beside the packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Frozen from the first publish on.
    pub origin: String,
    /// Frozen likewise.
    pub label: String,
    /// A suite for each Debian release.
    pub suites: BTreeSet<Codename>,
    pub architectures: BTreeSet<Architecture>,
    /// Seconds from Date to Valid-Until.
    pub valid_for: i64,
}

/// The time of a publish, in seconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Now {
    /// The machine's clock: nothing is dated after it (apt refuses a Date in the future), so that two publishes in
    /// one second wait for each other.
    Clock(i64),
    /// A time that was asked for, to make the same bytes again. Taken as it is.
    Supplied(i64),
}

impl Now {
    pub fn seconds(self) -> i64 {
        match self {
            Now::Clock(seconds) | Now::Supplied(seconds) => seconds,
        }
    }
}

/// What is to be published.
pub struct Publication<'a> {
    /// The whole package set.
    pub packages: Vec<PackageRecord>,
    /// The files of it that are new: what [`Staging::finish`] gave.
    pub new: BTreeSet<String>,
    /// For every name ever published the highest base version.
    pub highest: BTreeMap<PackageName, String>,
    pub settings: Settings,
    pub signer: &'a dyn Signer,
    pub now: Now,
    /// Sign anew even when nothing changed and the signature is young.
    pub refresh: bool,
    /// Must accept the staged generation; None: there is no such check.
    pub gate: Option<&'a dyn Gate>,
}

/// What came of it.
#[derive(Debug)]
pub enum Published {
    /// The same packages, settings and keys as published, and the signature is young: no byte was written.
    NothingChanged {
        generation: u64,
        date: i64,
        valid_until: i64,
    },
    Generation(Box<NewGeneration>),
}

#[derive(Debug)]
pub struct NewGeneration {
    pub manifest: Manifest,
    pub reason: Reason,
    /// None where there was no gate.
    pub gate: Option<GateReport>,
    /// Files added to the pool.
    pub new_files: usize,
    /// Things of after the commit that somebody should look at.
    pub warnings: Vec<Diagnostic>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    First,
    Changed,
    /// Nothing changed, but the signature was old, or signing anew was asked for.
    SignedAnew,
}

type Result<T, E = Diagnostic> = std::result::Result<T, E>;

/// A generation that is on the disk, whole and judged: it lacks only its commit.
struct Prepared {
    generation: Generation,
    reason: Reason,
    gate: Option<GateReport>,
    new_files: usize,
}

/// A publish that has begun: takes new files of the pool, from several threads, while others are still being made.
/// Nobody can know them before the commit.
#[derive(Debug)]
pub struct Staging<'r> {
    repository: &'r Repository<'r>,
    in_use: References,
    date: i64,
    files: Mutex<BTreeSet<String>>,
}

impl Staging<'_> {
    /// Creates a file of the pool under its final name, `pool/…`.
    pub fn put(&self, filename: &str, bytes: &[u8]) -> Result<()> {
        self.repository.put_pool_file(filename, bytes, &self.in_use, self.date)?;
        let mut files = self.files.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        files.insert(filename.to_owned());
        Ok(())
    }

    /// The names of the files that were put.
    pub fn finish(self) -> BTreeSet<String> {
        self.files.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What apt refuses to see changed (apt-secure(8)): Origin and Label are what the first publish said.
pub fn frozen(head: &Manifest, settings: &Settings) -> Vec<Diagnostic> {
    let fields = [
        (&rules::origin_changed::RULE, "origin", &head.origin, &settings.origin),
        (&rules::label_changed::RULE, "label", &head.label, &settings.label),
    ];
    let changed = fields.into_iter().filter(|(_, _, published, wanted)| published != wanted);
    changed
        .map(|(rule, field, published, wanted)| {
            Diagnostic::new(
                rule,
                format!("{field} is \"{wanted}\", but \"{published}\" is what machines know since the first publish"),
            )
            .help(format!("write {field} = \"{published}\" under [fleet] in debrole.toml"))
        })
        .collect()
}

impl Repository<'_> {
    /// Begins a publish: from here on there are files in the output directory that nobody may know. Ends with
    /// [`publish`](Self::publish) or [`abandon`](Self::abandon); after neither, the next start cleans up.
    ///
    /// # Errors
    /// What [`publish`](Self::publish) would have against these settings and this time.
    pub fn begin(&self, settings: &Settings, now: Now) -> Result<Staging<'_>, Vec<Diagnostic>> {
        self.refuse(&[], settings, now)?;
        store::check_space(&self.directory, self.root(), 0, 0).map_err(one)?;
        repair::begin(self.root()).map_err(one)?;
        store::directory(&self.root().join("pool")).map_err(one)?;
        let in_use = References::of(self.head.as_ref());
        Ok(Staging { repository: self, in_use, date: self.date(now), files: Mutex::default() })
    }

    /// Removes what a publish that came to nothing has written.
    pub fn abandon(&self) -> Result<usize> {
        repair::repair(self.root(), self.head.as_ref())
    }

    /// The Date of the next generation, in seconds since 1970 UTC: after that of the last.
    fn date(&self, now: Now) -> i64 {
        let now = now.seconds();
        self.head.as_ref().map_or(now, |head| now.max(head.date + 1))
    }

    /// Publishes a package set: all suites at once, by one rename(2).
    ///
    /// # Errors
    /// Everything that stands against it; the old generation is then still the one that clients see, but for the
    /// rare error *after* the commit, which says so.
    pub fn publish(&mut self, publication: Publication<'_>) -> Result<Published, Vec<Diagnostic>> {
        let prepared = match self.prepare(publication) {
            Ok(Ok(prepared)) => prepared,
            Ok(Err(stays)) => return Ok(stays),
            Err(errors) => {
                if repair::is_unfinished(self.root()) {
                    // Best done at once; should this fail too, the next start does it.
                    let _ = self.abandon();
                }
                return Err(errors);
            }
        };
        let Prepared { generation, reason, gate, new_files } = prepared;
        self.commit(&generation).map_err(one)?;
        self.emit(Event::Committed { generation: generation.manifest.generation });

        let before = References::of(self.head.as_ref());
        let mut warnings = Vec::new();
        if let Err(problem) = self.clean_up(&before, &generation.manifest) {
            warnings.push(
                problem.note(
                    "This generation is published all the same. The next build cleans up what was to be removed.",
                ),
            );
        }
        self.head = Some(generation.manifest.clone());
        self.spoilt.clear();
        Ok(Published::Generation(Box::new(NewGeneration {
            manifest: generation.manifest,
            reason,
            gate,
            new_files,
            warnings,
        })))
    }

    /// All but the commit; or what is published stays.
    fn prepare(&self, publication: Publication<'_>) -> Result<Result<Prepared, Published>, Vec<Diagnostic>> {
        let Publication { packages, settings, .. } = &publication;
        self.refuse(packages, settings, publication.now)?;
        let signed_by = publication.signer.fingerprints();
        let unchanged = self.head.as_ref().is_some_and(|head| {
            head.signed_by == signed_by && is_unchanged(head, packages, &publication.highest, settings)
        });
        if unchanged
            && !publication.refresh
            && let Some(stays) = self.young(settings, publication.now)
        {
            return Ok(Err(stays));
        }
        let reason = match (&self.head, unchanged) {
            (None, _) => Reason::First,
            (Some(_), true) => Reason::SignedAnew,
            (Some(_), false) => Reason::Changed,
        };
        // To sign anew is to say of everything that it is still right. It happens once a day: time enough to look.
        // (What was touched since the last commit was read when the repository was opened, whatever is published.)
        if let (Some(head), Reason::SignedAnew) = (&self.head, reason) {
            repair::check_pool(self.root(), head, |_| true).map_err(one)?;
        }

        let Publication { packages, new, highest, settings, signer, gate, now, .. } = publication;
        let write = || {
            let (manifest, indexes) = self.next(packages, highest, settings, signer, self.date(now));
            let generation = self.sign(manifest, signer).map_err(one)?;
            signer.rest();
            self.stage(&generation, &new, &indexes, signer).map(|()| generation)
        };
        // The new packages are on their way to the disk while indexes are made and signed: little of them is left for
        // the flush before the commit, which waits for all. (What goes wrong with the disk is told to one of the two.)
        let generation = match new.is_empty() || rayon::current_num_threads() == 1 {
            true => write()?,
            false => self.flush_during(write).map_err(one)??,
        };
        self.wait_for_clock(now, generation.manifest.date);
        let gate = self.ask(gate, &generation)?;
        Ok(Ok(Prepared { generation, reason, gate, new_files: new.len() }))
    }

    /// What [`publish`](Self::publish) would answer where it needs no key: that nothing changed and the signature is
    /// young. So the key need not be looked for, which takes GnuPG longer than all the rest of such a build. None where
    /// there is something to sign.
    ///
    /// `key`: the fingerprint of the primary key to sign with, where it is known.
    ///
    /// # Errors
    /// As those of [`publish`](Self::publish) that have nothing to do with the key.
    pub fn stays(
        &self,
        packages: &[PackageRecord],
        highest: &BTreeMap<PackageName, String>,
        settings: &Settings,
        key: Option<&str>,
        now: Now,
    ) -> Result<Option<Published>, Vec<Diagnostic>> {
        self.refuse(packages, settings, now)?;
        let unchanged = self.head.as_ref().is_some_and(|head| {
            key.is_none_or(|key| head.signed_by == [key]) && is_unchanged(head, packages, highest, settings)
        });
        Ok(if unchanged { self.young(settings, now) } else { None })
    }

    /// That nothing changed, if the signature of what is published is young.
    fn young(&self, settings: &Settings, now: Now) -> Option<Published> {
        let head = self.head.as_ref().filter(|_| self.spoilt.is_empty())?;
        let age = now.seconds() - head.date;
        (age < RESIGN_AFTER.min(settings.valid_for / 2)).then_some(Published::NothingChanged {
            generation: head.generation,
            date: head.date,
            valid_until: head.valid_until,
        })
    }

    /// All that can be said against it before anything is done.
    fn refuse(&self, packages: &[PackageRecord], settings: &Settings, now: Now) -> Result<(), Vec<Diagnostic>> {
        let mut found = Vec::new();
        found.extend(clashes(packages));
        if let Some(head) = &self.head {
            found.extend(frozen(head, settings));
            let now = now.seconds();
            if now < head.date - CLOCK_TOLERANCE {
                found.push(
                    Diagnostic::new(
                        &rules::clock_behind::RULE,
                        format!(
                            "the clock says {}, but the last publish was at {}",
                            release::date(now),
                            release::date(head.date)
                        ),
                    )
                    .help("set the clock right (timedatectl set-ntp true), or wait until it has passed that time")
                    .note("machines ignore a Release file that is older than the one they have, without a word"),
                );
            }
            found.extend(republished(head, packages));
        }
        if found.is_empty() { Ok(()) } else { Err(found) }
    }

    /// The next manifest and its indexes. Pure but for reading index files that are there already.
    fn next(
        &self,
        mut packages: Vec<PackageRecord>,
        highest: BTreeMap<PackageName, String>,
        settings: Settings,
        signer: &dyn Signer,
        date: i64,
    ) -> (Manifest, Indexes) {
        sort(&mut packages);
        let head = self.head.as_ref();
        let suites: Vec<Codename> = settings.suites.into_iter().collect();
        let architectures: Vec<Architecture> = settings.architectures.into_iter().collect();
        let known = known_forms(head);
        let reuse = |text: &str| {
            let [gz, xz] = known.get(text)?;
            let sound = [gz, xz].iter().all(|file| store::by_hash_is_sound(self.root(), &file.sha256));
            sound.then(|| [(*gz).clone(), (*xz).clone()])
        };
        let earlier = |suite: &Codename, path: &str| {
            let files = head?.suites.get(suite)?;
            let read = |path: &str| store::read_by_hash(self.root(), &files.get(path)?.sha256);
            Some(index::Earlier { text: read(path)?, xz: read(&format!("{path}.xz"))? })
        };
        let before = index::Before { forms: &reuse, index: &earlier };
        let indexes = index::make(&packages, &suites, &architectures, before);
        let let_go = manifest::let_go(head, &packages);
        let mut manifest = Manifest {
            format: FORMAT,
            generation: head.map_or(1, |head| head.generation + 1),
            date,
            valid_until: date + settings.valid_for,
            origin: settings.origin,
            label: settings.label,
            architectures,
            signed_by: signer.fingerprints(),
            packages,
            highest,
            suites: indexes.suites.clone(),
            retained: Vec::new(),
            earlier: Vec::new(),
            let_go,
        };
        collect::carry_over(head, &mut manifest);
        (manifest, indexes)
    }

    /// Signs everything, before anything is written: a key that fails leaves no trace.
    fn sign(&self, manifest: Manifest, signer: &dyn Signer) -> Result<Generation> {
        self.emit(Event::Signing { suites: manifest.suites.len() });
        let mut json = serde_json::to_vec(&manifest).map_err(|e| {
            Diagnostic::new(&rules::verification_failed::RULE, format!("the manifest can't be written as JSON: {e}"))
                .help("this is a bug in debrole: please report it")
        })?;
        json.push(b'\n');
        let failed = |e: SignError| key::diagnostic(&e);
        let releases: Vec<(&Codename, Vec<u8>)> = manifest
            .suites
            .iter()
            .map(|(suite, files)| (suite, release::release(&manifest, suite, files).into_bytes()))
            .collect();
        // All at the same time: the manifest's, and two for each suite.
        let suites = || {
            releases
                .into_par_iter()
                .map(|(codename, release)| {
                    let (in_release, release_gpg) =
                        rayon::join(|| signer.clearsign(&release), || signer.detach(&release));
                    Ok(SignedSuite {
                        codename: codename.clone(),
                        in_release: in_release.map_err(failed)?,
                        release_gpg: release_gpg.map_err(failed)?,
                        release,
                    })
                })
                .collect::<Result<_>>()
        };
        let (signature, suites) = rayon::join(|| signer.detach(&json), suites);
        let (signature, suites): (Vec<u8>, Vec<SignedSuite>) = (signature.map_err(failed)?, suites?);
        Ok(Generation { manifest, suites, json, signature })
    }

    /// Writes everything but the commit, flushes it, reads it back.
    fn stage(
        &self,
        generation: &Generation,
        new: &BTreeSet<String>,
        indexes: &Indexes,
        signer: &dyn Signer,
    ) -> Result<(), Vec<Diagnostic>> {
        self.write(generation, indexes).map_err(one)?;
        // Reading back needs no disk, and flushing no processor.
        self.flush_during(|| self.verify(generation, new, signer)).map_err(one)?
    }

    /// Does something while everything that was written gets to the disk. With one thread, one after the other.
    fn flush_during<T>(&self, work: impl FnOnce() -> T) -> Result<T> {
        if rayon::current_num_threads() == 1 {
            return self.flush().map(|()| work());
        }
        std::thread::scope(|scope| {
            let flushing = scope.spawn(|| self.flush());
            let done = work();
            flushing.join().unwrap_or_else(|panic| resume_unwind(panic)).map(|()| done)
        })
    }

    /// Everything that was written is on the disk.
    fn flush(&self) -> Result<()> {
        rustix::fs::syncfs(&self.directory).map_err(|e| store::failed("flush", self.root(), &e.into()))
    }

    fn write(&self, generation: &Generation, indexes: &Indexes) -> Result<()> {
        let root = self.root();
        let in_use = References::of(self.head.as_ref());
        let (mut bytes, mut files) = generation.size();
        for (hash, content) in &indexes.contents {
            if !in_use.by_hash.contains(hash) {
                bytes += content.len() as u64;
                files += 1;
            }
        }
        store::check_space(&self.directory, root, bytes, files)?;
        self.emit(Event::Writing { files: indexes.contents.len(), bytes });

        repair::begin(root)?;
        let date = generation.manifest.date;
        store::directory(&root.join(store::BY_HASH))?;
        let current: BTreeSet<&str> = self
            .head
            .iter()
            .flat_map(|head| head.suites.values().flat_map(|files| files.values().map(|f| f.sha256.as_str())))
            .collect();
        for (hash, content) in &indexes.contents {
            store::put_by_hash(root, hash, content, date, current.contains(hash.as_str()))?;
        }
        generation.write(root)?;
        generation.link(root)
    }

    /// Creates a file of the pool under its final name: nobody can know it before the commit.
    fn put_pool_file(&self, filename: &str, bytes: &[u8], in_use: &References, date: i64) -> Result<()> {
        let path = self.root().join(filename);
        match store::create_in(&path, bytes, date) {
            Ok(()) => return Ok(()),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return Err(store::failed("write", &path, &e)),
        }
        let there = std::fs::read(&path).map_err(|e| store::failed("read", &path, &e))?;
        if there == bytes {
            return Ok(());
        }
        if in_use.pool.contains(filename) {
            return Err(Diagnostic::new(
                &rules::version_republished::RULE,
                format!("{filename} is published with other contents"),
            )
            .help("give the changed contents a higher version"));
        }
        // Left over from before, and in nobody's manifest.
        store::remove(&path)?;
        store::create(&path, bytes, date)
    }

    /// Nothing is dated in the future: apt takes ten seconds of it at most.
    fn wait_for_clock(&self, now: Now, date: i64) {
        if let Now::Supplied(_) = now {
            return;
        }
        let ahead = || {
            let target = store::system_time(date);
            target.duration_since(SystemTime::now()).unwrap_or(Duration::ZERO)
        };
        let first = ahead();
        if first > Duration::from_millis(1500) {
            self.emit(Event::WaitingForClock { seconds: first.as_secs() as i64 });
        }
        // The clock may be set meanwhile: never longer than the tolerance.
        let mut left = Duration::from_secs(CLOCK_TOLERANCE as u64 + 1);
        while !ahead().is_zero() && !left.is_zero() {
            let nap = ahead().min(left);
            std::thread::sleep(nap);
            left -= nap;
        }
    }

    fn ask(&self, gate: Option<&dyn Gate>, generation: &Generation) -> Result<Option<GateReport>, Vec<Diagnostic>> {
        let Some(gate) = gate else { return Ok(None) };
        self.emit(Event::Gate);
        let dists = generation.directory(self.root());
        gate.accept(&StagedTree { root: self.root(), dists: &dists, manifest: &generation.manifest }).map(Some)
    }

    /// The commit, made durable and read back.
    fn commit(&self, generation: &Generation) -> Result<()> {
        let root = self.root();
        let target = generation::path(generation.manifest.generation);
        store::point(root, generation::DISTS, &target)?;
        let durable =
            rustix::fs::fsync(&self.directory).map_err(|e| store::failed("flush", root, &e.into())).and_then(|()| {
                let seen = std::fs::read_link(root.join(generation::DISTS)).ok();
                let whole = generation.suites.iter().all(|suite| {
                    let path = root.join(generation::DISTS).join(suite.codename.as_str()).join("InRelease");
                    std::fs::read(path).is_ok_and(|bytes| bytes == suite.in_release)
                });
                if seen.as_deref() == Some(Path::new(&target)) && whole {
                    Ok(())
                } else {
                    Err(Diagnostic::new(
                        &rules::verification_failed::RULE,
                        format!("after the commit {} is not what was written", root.join(generation::DISTS).display()),
                    )
                    .help("something else writes into the output directory: find out what"))
                }
            });
        durable.map_err(|d| d.note(format!("generation {} is what clients see now", generation.manifest.generation)))
    }

    fn clean_up(&self, before: &References, manifest: &Manifest) -> Result<()> {
        self.collect(before, &References::of(Some(manifest)))?;
        repair::end(self.root())
    }
}

fn one(diagnostic: Diagnostic) -> Vec<Diagnostic> {
    vec![diagnostic]
}

fn sort(packages: &mut [PackageRecord]) {
    // Nearly all have a name of their own: to parse versions for each comparison would be work for nothing.
    let version = |record: &PackageRecord| record.version.parse::<debversion::Version>().ok();
    packages.sort_by(|a, b| {
        a.name
            .cmp(&b.name)
            .then_with(|| version(a).cmp(&version(b)))
            .then_with(|| (&a.version, &a.architecture).cmp(&(&b.version, &b.architecture)))
    });
}

/// Whether a publish would make the same again, but for its date and its signatures.
fn is_unchanged(
    head: &Manifest,
    packages: &[PackageRecord],
    highest: &BTreeMap<PackageName, String>,
    settings: &Settings,
) -> bool {
    fn sorted(records: &[PackageRecord]) -> Vec<&PackageRecord> {
        let mut records: Vec<&PackageRecord> = records.iter().collect();
        records.sort_by(|a, b| (&a.filename, &a.sha256).cmp(&(&b.filename, &b.sha256)));
        records
    }
    sorted(packages) == sorted(&head.packages)
        && head.highest == *highest
        && head.architectures.iter().eq(&settings.architectures)
        && head.suites.keys().eq(&settings.suites)
        && head.valid_until - head.date == settings.valid_for
}

/// The compressed forms of the indexes that are published, by the hash of their text.
fn known_forms(head: Option<&Manifest>) -> BTreeMap<&str, [&FileHash; 2]> {
    let mut known = BTreeMap::new();
    for files in head.iter().flat_map(|head| head.suites.values()) {
        for (path, text) in files.iter().filter(|(path, _)| path.ends_with("/Packages")) {
            if let (Some(gz), Some(xz)) = (files.get(&format!("{path}.gz")), files.get(&format!("{path}.xz"))) {
                known.insert(text.sha256.as_str(), [gz, xz]);
            }
        }
    }
    known
}
