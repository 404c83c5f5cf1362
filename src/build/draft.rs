//! Decides what each package becomes. Nothing here makes bytes or writes: it reads the pool only for the packages
//! that get a new version (their changelog goes on, and says what changed).

use super::change::{Change, Detail, Difference, What};
use super::difference::{self, Snapshot};
use super::moved::{self, Moves};
use super::version::Base;
use super::{Draft, Input, Job, changelog, in_place, site, unwritable, version};
use crate::deb;
use crate::diagnostics::{Diagnostic, rules};
use crate::lower;
use crate::model::Model;
use crate::names::{Codename, PackageName};
use crate::plan::{DebContent, PackageKind};
use crate::relation::{Comparison, Relation};
use crate::repo::manifest::{Manifest, PackageRecord};
use crate::source::Span;
use rayon::prelude::*;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// A package name that is to be in the set, with what is published under it.
struct Wanted<'a> {
    name: PackageName,
    kind: PackageKind,
    span: Option<Span>,
    copyright: String,
    /// One .deb each, oldest release first. Each a run of neighbouring releases: see [`runs`].
    runs: Vec<Run<'a>>,
    /// What is published under the name.
    published: Vec<&'a PackageRecord>,
}

struct Run<'a> {
    kind: PackageKind,
    releases: Vec<Codename>,
    content: Cow<'a, DebContent>,
    content_hash: String,
    in_place: BTreeSet<String>,
    /// The published package that is still right for it.
    kept: Option<&'a PackageRecord>,
}

/// Decides the whole build. Errors are all that there are, sorted by package.
pub fn draft(input: Input<'_>) -> Result<Draft<'_>, Vec<Diagnostic>> {
    let mut wrong = Vec::new();
    let Some(today) = Base::first_of(input.time) else {
        return Err(vec![
            Diagnostic::new(&rules::clock_implausible::RULE, format!("{} is not a time to build at", input.time))
                .help("set the clock, or give the time in seconds since 1970"),
        ]);
    };
    check_prefix(&input, &mut wrong);
    let site = site::publish(input.model, input.plans, input.previous, &mut wrong);

    let mut wanted = wanted(&input);
    let errors: Vec<Diagnostic> = wanted.par_iter_mut().filter_map(|wanted| hash(input.model, wanted).err()).collect();
    wrong.extend(errors);

    // Who ships what from now on, to see what moved.
    let moves = Moves::of(input.previous);
    let ships = Ships::of(&wanted, &site);
    let moving: Vec<Vec<BTreeMap<&PackageName, &PackageRecord>>> = wanted
        .iter()
        .map(|wanted| {
            let sources = |run: &Run<'_>| {
                moves.sources(&wanted.name, &run.releases, &run.in_place, |name, path| {
                    ships.still(name, path, &run.releases)
                })
            };
            wanted.runs.iter().map(sources).collect()
        })
        .collect();
    drop(ships);
    for (wanted, moving) in wanted.iter_mut().zip(&moving) {
        if moving.iter().all(BTreeMap::is_empty) {
            keep(wanted);
        }
    }

    // New base versions for the rest.
    let mut highest = input.previous.map(|manifest| manifest.highest.clone()).unwrap_or_default();
    let mut bases: BTreeMap<PackageName, Base> = BTreeMap::new();
    for wanted in wanted.iter().filter(|wanted| !wanted.is_kept()) {
        match next_base(wanted, highest.get(&wanted.name), today) {
            Ok(base) => {
                highest.insert(wanted.name.clone(), base.to_string());
                bases.insert(wanted.name.clone(), base);
            }
            Err(diagnostic) => wrong.push(diagnostic),
        }
    }
    for new in &site {
        let record = &new.record;
        let lower = highest
            .get(&record.name)
            .is_none_or(|known| version::compare(known, &record.version).is_none_or(|order| order.is_lt()));
        if lower {
            highest.insert(record.name.clone(), record.version.clone());
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }

    // From which version on a package no longer ships what it shipped on these releases.
    let gone_from = |record: &PackageRecord, releases: &[Codename]| -> (Comparison, String) {
        if let Some(base) = bases.get(&record.name) {
            return (Comparison::Earlier, base.to_string());
        }
        let kept = wanted
            .iter()
            .filter(|other| other.name == record.name)
            .flat_map(|other| &other.runs)
            .find(|run| overlap(&run.releases, releases))
            .and_then(|run| run.kept.map(|kept| kept.version.clone()));
        let from_site = site.iter().find(|new| new.record.name == record.name).map(|new| new.record.version.clone());
        match kept.or(from_site) {
            Some(version) => (Comparison::Earlier, version),
            None => (Comparison::EarlierOrEqual, record.version.clone()),
        }
    };
    let time = input.time.max(input.previous.map_or(0, |manifest| manifest.date));
    let outcomes: Vec<Result<Outcome<'_>, Vec<Diagnostic>>> = wanted
        .par_iter()
        .zip(&moving)
        .map(|(wanted, moving)| match bases.get(&wanted.name) {
            None => Ok(kept_outcome(wanted)),
            Some(base) => {
                let moving: Vec<Vec<Relation>> = moving
                    .iter()
                    .zip(&wanted.runs)
                    .map(|(sources, run)| {
                        let relation = |(name, record): (&&PackageName, &&PackageRecord)| {
                            let (operator, version) = gone_from(record, &run.releases);
                            moved::relation(name, operator, version)
                        };
                        sources.iter().map(relation).collect()
                    })
                    .collect();
                new_outcome(&input, wanted, *base, &moving, time)
            }
        })
        .collect();

    let mut draft = Draft {
        changes: Vec::new(),
        highest,
        time,
        maintainer: &input.model.fleet.maintainer,
        kept: Vec::new(),
        jobs: Vec::new(),
        site: Vec::new(),
    };
    for outcome in outcomes {
        match outcome {
            Ok(outcome) => {
                draft.changes.push(outcome.change);
                draft.kept.extend(outcome.kept);
                draft.jobs.extend(outcome.jobs);
            }
            Err(diagnostics) => wrong.extend(diagnostics),
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    site_changes(&input, site, &mut draft);
    draft.changes.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(draft)
}

/// Another prefix would be another fleet: no machine would see its packages as upgrades.
fn check_prefix(input: &Input<'_>, wrong: &mut Vec<Diagnostic>) {
    let is_runtime = |name: &PackageName| input.plans.iter().any(|plan| plan.name == *name);
    let published = input.previous.iter().flat_map(|manifest| &manifest.packages);
    for record in published.filter(|record| record.kind == PackageKind::Runtime) {
        if !is_runtime(&record.name) {
            let prefix = record.name.as_str().trim_end_matches("-runtime");
            wrong.push(
                Diagnostic::new(
                    &rules::prefix_changed::RULE,
                    format!(
                        "the published fleet has the prefix {prefix:?}, the tree has {:?}",
                        input.model.fleet.prefix.as_str()
                    ),
                )
                .at(input.model.fleet.span, "")
                .help(format!("put back `prefix = \"{prefix}\"`"))
                .help("or publish a new repository, under another URI and into an empty directory"),
            );
        }
    }
}

/// All names that are to be in the set: the plans', and tombstones for what is published and has left the tree.
fn wanted<'a>(input: &Input<'a>) -> Vec<Wanted<'a>> {
    let model = input.model;
    let mut published: BTreeMap<&PackageName, Vec<&'a PackageRecord>> = BTreeMap::new();
    for record in input.previous.iter().flat_map(|manifest| &manifest.packages) {
        if record.kind != PackageKind::Site {
            published.entry(&record.name).or_default().push(record);
        }
    }
    let mut all: BTreeMap<PackageName, Wanted<'a>> = BTreeMap::new();
    for plan in input.plans {
        let published = published.remove(&plan.name).unwrap_or_default();
        let mut contents: BTreeMap<usize, (PackageKind, Cow<'a, DebContent>)> = BTreeMap::new();
        for variant in &plan.variants {
            for release in variant.releases.iter().filter_map(|release| position(model, release)) {
                contents.insert(release, (plan.kind, Cow::Borrowed(&variant.deb)));
            }
        }
        // A role that is no longer for a release leaves it as one that left the tree does. A host is on one release
        // at a time: its package for the old one stays right until the machine itself has moved on.
        if plan.kind == PackageKind::Role {
            let before = published.iter().flat_map(|record| &record.releases);
            for release in before.filter_map(|release| position(model, release)) {
                contents.entry(release).or_insert_with(|| {
                    (PackageKind::Tombstone, Cow::Owned(lower::tombstone(model, &plan.name, plan.kind)))
                });
            }
        }
        let copyright = copyright(model, &plan.name);
        let (name, kind, span) = (plan.name.clone(), plan.kind, plan.span);
        all.insert(name.clone(), Wanted { name, kind, span, copyright, runs: runs(model, contents), published });
    }
    for (name, records) in published {
        let lives = records.iter().map(|record| record.kind);
        let was = lives.filter(|kind| *kind != PackageKind::Tombstone).next_back().unwrap_or(PackageKind::Tombstone);
        let content = lower::tombstone(model, name, was);
        let contents = (0..model.fleet.releases.len())
            .map(|release| (release, (PackageKind::Tombstone, Cow::Owned(content.clone()))))
            .collect();
        all.insert(
            name.clone(),
            Wanted {
                name: name.clone(),
                kind: PackageKind::Tombstone,
                span: None,
                copyright: copyright(model, name),
                runs: runs(model, contents),
                published: records,
            },
        );
    }
    all.into_values().collect()
}

/// The place of a release among the fleet's, oldest first.
fn position(model: &Model, release: &Codename) -> Option<usize> {
    model.fleet.releases.iter().position(|known| known.codename.value == *release)
}

/// Neighbouring releases with the same content share a .deb. Releases with the same content that others lie between
/// do not: their versions have to rise with the release, so that a machine that is upgraded to the next release gets
/// that one's content.
fn runs<'a>(model: &Model, contents: BTreeMap<usize, (PackageKind, Cow<'a, DebContent>)>) -> Vec<Run<'a>> {
    let mut runs: Vec<Run<'a>> = Vec::new();
    for (release, (kind, content)) in contents {
        let codename = model.fleet.releases[release].codename.value.clone();
        match runs.last_mut() {
            Some(last) if last.kind == kind && last.content == content => last.releases.push(codename),
            _ => runs.push(Run {
                kind,
                releases: vec![codename],
                content,
                content_hash: String::new(),
                in_place: BTreeSet::new(),
                kept: None,
            }),
        }
    }
    runs
}

/// /usr/share/doc/<name>/copyright for what brings none of its own (Debian Policy 12.5).
fn copyright(model: &Model, name: &PackageName) -> String {
    let fleet = &model.fleet;
    let contact = fleet.homepage.as_deref().unwrap_or(&fleet.uri.value);
    format!(
        "{name} was made by debrole from the configuration of {}.\n\
         It is not part of Debian. Where it comes from: {contact}\n\
         \n\
         Copyright: the people of {}\n\
         Contact: {}\n\
         \n\
         License: for use on the machines of {}. The maintainer says what else may be\n\
         done with it.\n",
        fleet.origin, fleet.origin, fleet.maintainer, fleet.origin
    )
}

fn hash(model: &Model, wanted: &mut Wanted<'_>) -> Result<(), Diagnostic> {
    for run in &mut wanted.runs {
        let package = deb::Package {
            name: &wanted.name,
            maintainer: &model.fleet.maintainer,
            copyright: &wanted.copyright,
            content: &run.content,
        };
        run.content_hash = package.content_hash().map_err(|error| unwritable(&wanted.name, wanted.span, &error))?;
        run.in_place = in_place(model.fleet.prefix.as_str(), &run.content).into_iter().collect();
    }
    Ok(())
}

/// What each package ships in place from now on, by release.
struct Ships<'w> {
    by_name: BTreeMap<&'w PackageName, Vec<(&'w [Codename], BTreeSet<&'w str>)>>,
}

impl<'w> Ships<'w> {
    fn of(wanted: &'w [Wanted<'_>], site: &'w [site::Published]) -> Ships<'w> {
        let mut by_name: BTreeMap<_, Vec<(&[Codename], BTreeSet<&str>)>> = BTreeMap::new();
        for wanted in wanted {
            for run in &wanted.runs {
                let paths = run.in_place.iter().map(String::as_str).collect();
                by_name.entry(&wanted.name).or_default().push((&run.releases, paths));
            }
        }
        for new in site {
            let paths = new.record.in_place.iter().map(String::as_str).collect();
            by_name.entry(&new.record.name).or_default().push((&new.record.releases, paths));
        }
        Ships { by_name }
    }

    fn still(&self, name: &PackageName, path: &str, releases: &[Codename]) -> bool {
        let parts = self.by_name.get(name).into_iter().flatten();
        parts.filter(|(on, _)| overlap(on, releases)).any(|(_, paths)| paths.contains(path))
    }
}

fn overlap(a: &[Codename], b: &[Codename]) -> bool {
    a.iter().any(|release| b.contains(release))
}

impl Wanted<'_> {
    fn is_kept(&self) -> bool {
        self.runs.iter().all(|run| run.kept.is_some())
    }
}

/// Finds the published packages that are still right: all of a name's, or none (they share a base version and move
/// together). No release may get a lower version than it had, and versions have to rise with the release.
fn keep<'a>(wanted: &mut Wanted<'a>) {
    let mut kept: Vec<&'a PackageRecord> = Vec::new();
    for run in &wanted.runs {
        // A tombstone is published once; what its text says may change later without another.
        let right = |record: &&&PackageRecord| match run.kind {
            PackageKind::Tombstone => record.kind == PackageKind::Tombstone,
            _ => record.content == run.content_hash,
        };
        let candidates = || wanted.published.iter().filter(right);
        let Some(record) =
            candidates().find(|record| record.releases.contains(&run.releases[0])).or_else(|| candidates().next_back())
        else {
            return;
        };
        let lower =
            |other: &PackageRecord| version::compare(&record.version, &other.version).is_none_or(|order| order.is_lt());
        let was_higher = |other: &&&PackageRecord| overlap(&other.releases, &run.releases) && lower(other);
        if wanted.published.iter().any(|other| was_higher(&other)) {
            return;
        }
        if kept
            .last()
            .is_some_and(|last| version::compare(&last.version, &record.version).is_none_or(|order| order.is_ge()))
        {
            return;
        }
        kept.push(record);
    }
    for (run, record) in wanted.runs.iter_mut().zip(kept) {
        run.kept = Some(record);
    }
}

/// The next base of a name: above everything that was ever published under it.
fn next_base(wanted: &Wanted<'_>, highest: Option<&String>, today: Base) -> Result<Base, Diagnostic> {
    let published = wanted.published.iter().map(|record| record.version.as_str());
    let known: Vec<&str> = published.chain(highest.map(String::as_str)).collect();
    let base = Base::next(today, known.iter().filter_map(|version| Base::parse(version)).max());
    let text = base.to_string();
    match known.iter().find(|known| version::compare(known, &text).is_none_or(|order| order.is_ge())) {
        None => Ok(base),
        Some(known) => {
            let diagnostic = Diagnostic::new(
                &rules::version_overtaken::RULE,
                format!("{} was published as {known}, which is not lower than {text}", wanted.name),
            )
            .help("give it another name: no version may ever come back lower");
            Err(match wanted.span {
                Some(span) => diagnostic.at(span, "the package is made from this file"),
                None => diagnostic,
            })
        }
    }
}

/// What becomes of one name.
struct Outcome<'a> {
    change: Change,
    kept: Vec<PackageRecord>,
    jobs: Vec<Job<'a>>,
}

fn kept_outcome<'a>(wanted: &Wanted<'a>) -> Outcome<'a> {
    let mut records = Vec::new();
    let (mut added, mut removed) = (BTreeSet::new(), BTreeSet::new());
    for run in &wanted.runs {
        let Some(kept) = run.kept else { continue };
        let mut record: PackageRecord = kept.clone();
        record.releases = run.releases.clone();
        records.push(record);
    }
    let before: BTreeSet<&Codename> = wanted.published.iter().flat_map(|record| &record.releases).collect();
    let now: BTreeSet<&Codename> = wanted.runs.iter().flat_map(|run| &run.releases).collect();
    added.extend(now.difference(&before).map(|release| (*release).clone()));
    removed.extend(before.difference(&now).map(|release| (*release).clone()));
    let version = newest(&wanted.published);
    let relisted =
        records.iter().any(|record| !wanted.published.contains(&record)) || records.len() != wanted.published.len();
    let what = match relisted {
        true => What::Relisted { version, added: added.into_iter().collect(), removed: removed.into_iter().collect() },
        false => What::Unchanged { version },
    };
    Outcome {
        change: Change { name: wanted.name.clone(), kind: wanted.kind, what, details: Vec::new() },
        kept: records,
        jobs: Vec::new(),
    }
}

/// The base version of the newest of these records, for people.
fn newest(records: &[&PackageRecord]) -> String {
    let mut versions: Vec<&str> = records.iter().map(|record| record.version.as_str()).collect();
    versions.sort_by(|a, b| version::compare(a, b).unwrap_or_else(|| a.cmp(b)));
    let last = versions.last().copied().unwrap_or_default();
    Base::parse(last).map_or_else(|| last.to_string(), |base| base.to_string())
}

fn new_outcome<'a>(
    input: &Input<'_>,
    wanted: &Wanted<'a>,
    base: Base,
    moving: &[Vec<Relation>],
    time: i64,
) -> Result<Outcome<'a>, Vec<Diagnostic>> {
    let mut wrong = Vec::new();
    let mut jobs = Vec::new();
    let mut details: BTreeMap<Difference, Vec<Codename>> = BTreeMap::new();
    let all: Vec<Codename> = wanted.runs.iter().flat_map(|run| run.releases.clone()).collect();
    let was_tombstone = wanted.published.iter().all(|record| record.kind == PackageKind::Tombstone);
    for (run, moving) in wanted.runs.iter().zip(moving) {
        let suffix = match wanted.runs.len() {
            1 => String::new(),
            _ => input.model.fleet.release(&run.releases[0]).map_or_else(String::new, |r| format!("+deb{}", r.version)),
        };
        let version = format!("{base}{suffix}");
        let before = wanted
            .published
            .iter()
            .find(|record| record.releases.contains(&run.releases[0]))
            .or_else(|| wanted.published.iter().find(|record| overlap(&record.releases, &run.releases)))
            .or_else(|| wanted.published.last());
        let (differences, earlier) = match before {
            None => (Vec::new(), String::new()),
            Some(record) => match compare(input, wanted, run, record) {
                Ok(compared) => compared,
                Err(diagnostic) => {
                    wrong.push(diagnostic);
                    continue;
                }
            },
        };
        let took_over = moving.iter().map(|relation| Difference::TookOver { from: relation.0[0].name.to_string() });
        let differences: Vec<Difference> = differences.into_iter().chain(took_over).collect();
        let items = match run.kind {
            PackageKind::Tombstone => vec![format!(
                "{} has left the fleet. This version is empty, so that machines let go of what earlier ones had put \
                 there.",
                wanted.name
            )],
            _ if before.is_none() && wanted.is_new(input.previous) => vec!["First version.".to_string()],
            _ if before.is_none() || was_tombstone => vec!["Back in the fleet.".to_string()],
            _ if differences.is_empty() => vec!["Built again: its content is the same.".to_string()],
            _ => differences.iter().map(|difference| sentence(&difference.to_string())).collect(),
        };
        for difference in differences {
            details.entry(difference).or_default().extend(run.releases.iter().cloned());
        }
        let head = changelog::Head {
            name: &wanted.name,
            version: &version,
            releases: &run.releases,
            maintainer: &input.model.fleet.maintainer,
            time,
        };
        let carried = before.map(|record| moved::carried(record)).unwrap_or_default();
        let moved_from = match run.in_place.is_empty() {
            true => Vec::new(),
            false => moved::merge(carried.into_iter().chain(moving.iter().cloned())),
        };
        jobs.push(Job {
            name: wanted.name.clone(),
            kind: run.kind,
            span: wanted.span,
            copyright: wanted.copyright.clone(),
            content: run.content.clone(),
            releases: run.releases.clone(),
            changelog: changelog::write(head, &items, &earlier),
            version,
            content_hash: run.content_hash.clone(),
            moved_from,
            in_place: run.in_place.iter().cloned().collect(),
        });
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let version = base.to_string();
    let highest = input.previous.and_then(|manifest| manifest.highest.get(&wanted.name));
    let what = match (wanted.kind, wanted.published.is_empty(), was_tombstone) {
        (_, true, _) => match highest {
            None => What::Added { version },
            Some(from) => What::Returned { from: from.clone(), version },
        },
        (PackageKind::Tombstone, ..) => What::Tombstone { from: newest(&wanted.published), version },
        (_, _, true) => What::Returned { from: newest(&wanted.published), version },
        _ => What::Changed { from: newest(&wanted.published), version },
    };
    let of = |releases: Vec<Codename>| if releases.len() == all.len() { Vec::new() } else { releases };
    let details = match what {
        What::Changed { .. } => {
            details.into_iter().map(|(difference, releases)| Detail { difference, releases: of(releases) }).collect()
        }
        _ => Vec::new(),
    };
    Ok(Outcome {
        change: Change { name: wanted.name.clone(), kind: wanted.kind, what, details },
        kept: Vec::new(),
        jobs,
    })
}

impl Wanted<'_> {
    fn is_new(&self, previous: Option<&Manifest>) -> bool {
        previous.is_none_or(|manifest| !manifest.highest.contains_key(&self.name))
    }
}

/// A line of a changelog: a capital where that spoils nothing (a path or a unit stays as it is), a full stop.
fn sentence(text: &str) -> String {
    let first = text.split(' ').next().unwrap_or("");
    let plain = first.bytes().all(|b| b.is_ascii_lowercase());
    let mut chars = text.chars();
    match (plain, chars.next()) {
        (true, Some(c)) => format!("{}{}.", c.to_ascii_uppercase(), chars.as_str()),
        _ => format!("{text}."),
    }
}

/// What differs from the published package, and its changelog.
fn compare(
    input: &Input<'_>,
    wanted: &Wanted<'_>,
    run: &Run<'_>,
    record: &PackageRecord,
) -> Result<(Vec<Difference>, String), Diagnostic> {
    let unreadable = |why: String| {
        Diagnostic::new(
            &rules::published_package_unreadable::RULE,
            format!("{} {}, as published, can't be read: {why}", record.name, record.version),
        )
        .note(format!("it should be at {} in the repository", record.filename))
        .help("put it back from a backup or a mirror: a new version carries its changelog on")
    };
    let bytes = input.published.read(&record.filename).map_err(|error| unreadable(error.to_string()))?;
    if deb::sha256(&bytes) != record.sha256 {
        return Err(unreadable("its content is not what the manifest says (SHA-256)".into()));
    }
    let contents = deb::read::read(&bytes, difference::keep).map_err(unreadable)?;
    let changelog_path = format!("/usr/share/doc/{}/changelog.gz", wanted.name);
    let changelog = match contents.entries.get(&changelog_path) {
        Some(deb::read::Found::File { bytes: Some(bytes), .. }) => {
            let mut text = String::new();
            std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut text)
                .map_err(|error| unreadable(format!("{changelog_path}: {error}")))?;
            text
        }
        _ => return Err(unreadable(format!("it has no {changelog_path}"))),
    };
    let package = deb::Package {
        name: &wanted.name,
        maintainer: &input.model.fleet.maintainer,
        copyright: &wanted.copyright,
        content: &run.content,
    };
    let new = Snapshot::of_package(&package).map_err(|error| unwritable(&wanted.name, wanted.span, &error))?;
    Ok((difference::differences(&Snapshot::of_contents(&contents), &new), changelog))
}

/// The site's packages: what came, went and stays, by name.
fn site_changes(input: &Input<'_>, site: Vec<site::Published>, draft: &mut Draft<'_>) {
    let mut before: BTreeMap<&PackageName, Vec<&PackageRecord>> = BTreeMap::new();
    for record in input.previous.iter().flat_map(|manifest| &manifest.packages) {
        if record.kind == PackageKind::Site {
            before.entry(&record.name).or_default().push(record);
        }
    }
    let mut after: BTreeMap<&PackageName, Vec<&PackageRecord>> = BTreeMap::new();
    for new in &site {
        after.entry(&new.record.name).or_default().push(&new.record);
    }
    let names: BTreeSet<&PackageName> = before.keys().chain(after.keys()).copied().collect();
    for name in names {
        let (old, new) = (before.get(name), after.get(name));
        let full = |records: &[&PackageRecord]| {
            let mut versions: Vec<&str> = records.iter().map(|record| record.version.as_str()).collect();
            versions.sort_by(|a, b| version::compare(a, b).unwrap_or_else(|| a.cmp(b)));
            versions.last().map_or_else(String::new, |version| version.to_string())
        };
        let same = |old: &[&PackageRecord], new: &[&PackageRecord]| {
            old.len() == new.len() && new.iter().all(|record| old.contains(record))
        };
        let what = match (old, new) {
            (Some(old), Some(new)) if same(old, new) => What::Unchanged { version: full(new) },
            (Some(old), Some(new)) => What::Changed { from: full(old), version: full(new) },
            (None, Some(new)) => What::Added { version: full(new) },
            (Some(old), None) => What::Left { version: full(old) },
            (None, None) => continue,
        };
        draft.changes.push(Change { name: name.clone(), kind: PackageKind::Site, what, details: Vec::new() });
    }
    for new in site {
        let published = before.get(&new.record.name).into_iter().flatten();
        match published.into_iter().any(|old| old.filename == new.record.filename && old.sha256 == new.record.sha256) {
            true => draft.kept.push(new.record),
            false => draft.site.push(new),
        }
    }
}
