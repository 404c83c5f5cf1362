//! Decides what each package becomes. Nothing here makes bytes or writes: it reads the pool only for the packages
//! that get a new version (their changelog goes on, and says what changed).

use super::moved::{self, Moves};
use super::outcome::{self, Outcome};
use super::version::Base;
use super::{Draft, Input, access, in_place, site, unwritable, version};
use crate::deb;
use crate::diagnostics::{Diagnostic, rules};
use crate::lower;
use crate::model::Model;
use crate::names::{Codename, PackageName};
use crate::plan::{DebContent, PackageKind};
use crate::relation::{Comparison, Relation, RelationField};
use crate::repo::manifest::{LetGo, PackageRecord};
use crate::source::Span;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A package name that is to be in the set, with what is published under it.
pub(super) struct Wanted<'a> {
    pub name: PackageName,
    pub kind: PackageKind,
    pub span: Option<Span>,
    /// One .deb each, oldest release first. Each a run of neighbouring releases: see [`runs`].
    pub runs: Vec<Run<'a>>,
    /// What is published under the name.
    pub published: Vec<&'a PackageRecord>,
}

pub(super) struct Run<'a> {
    pub kind: PackageKind,
    pub releases: Vec<Codename>,
    pub content: Arc<DebContent>,
    pub content_hash: String,
    pub in_place: BTreeSet<String>,
    /// The published package that is still right for it.
    pub kept: Option<&'a PackageRecord>,
}

/// Decides the whole build. Errors are all that there are, sorted by package.
pub fn draft(input: Input<'_>) -> Result<Draft, Vec<Diagnostic>> {
    let mut wrong = Vec::new();
    let Some(today) = Base::first_of(input.time) else {
        return Err(vec![
            Diagnostic::new(&rules::clock_implausible::RULE, format!("{} is not a time to build at", input.time))
                .help("set the clock, or give the time in seconds since 1970"),
        ]);
    };
    check_prefix(&input, &mut wrong);
    access::host_keys(&input, &mut wrong);
    let site = site::publish(input.model, input.plans, input.previous, &mut wrong);

    let mut wanted = wanted(&input);
    replace(&input, &mut wanted, &site);
    let errors: Vec<Diagnostic> = wanted.par_iter_mut().filter_map(|wanted| hash(input.model, wanted).err()).collect();
    wrong.extend(errors);

    // Who ships what from now on, to see what moved.
    let moves = Moves::of(input.previous);
    let ships = Ships::of(&wanted, &site);
    let moving: Vec<Vec<BTreeMap<&PackageName, &PackageRecord>>> = wanted
        .iter()
        .map(|wanted| {
            let sources = |run: &Run<'_>| {
                moves.sources(&wanted.name, &run.in_place, |record, path| {
                    let here = ships.still(&record.name, path, &run.releases);
                    // A machine goes from the release that it runs to a later one with what it has. What an earlier
                    // release's package keeps is replaced for good: see `replace`.
                    let came = is_earlier(input.model, &record.releases, &run.releases);
                    let there = || ships.still(&record.name, path, &record.releases);
                    !here && (overlap(&record.releases, &run.releases) || came && !there())
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
    // Later than every published changelog entry.
    let time = input.time.max(input.previous.map_or(0, |manifest| manifest.date + 1));
    let outcomes: Vec<Result<Outcome, Vec<Diagnostic>>> = wanted
        .par_iter()
        .zip(&moving)
        .map(|(wanted, moving)| match bases.get(&wanted.name) {
            None => Ok(outcome::kept(wanted)),
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
                outcome::new(&input, wanted, *base, &moving, time)
            }
        })
        .collect();

    let mut draft = Draft {
        changes: Vec::new(),
        access: Vec::new(),
        highest,
        time,
        maintainer: input.model.fleet.maintainer.clone(),
        copyright: outcome::copyright(input.model, time),
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
    site::settle(input.previous, site, &mut draft);
    draft.changes.sort_by(|a, b| a.name.cmp(&b.name));
    draft.access = access::differences(&input, &draft.changes).map_err(|diagnostic| vec![diagnostic])?;
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
                .at(input.model.fleet.places.prefix, "not what machines have")
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
        let mut contents: BTreeMap<usize, (PackageKind, Arc<DebContent>)> = BTreeMap::new();
        for variant in &plan.variants {
            for release in variant.releases.iter().filter_map(|release| position(model, release)) {
                contents.insert(release, (plan.kind, Arc::clone(&variant.deb)));
            }
        }
        // A role that is no longer for a release leaves it as one that left the tree does. A host is on one release
        // at a time: its package for the old one stays right until the machine itself has moved on.
        if plan.kind == PackageKind::Role {
            let before = published.iter().flat_map(|record| &record.releases);
            for release in before.filter_map(|release| position(model, release)) {
                contents.entry(release).or_insert_with(|| {
                    (PackageKind::Tombstone, Arc::new(lower::tombstone(model, &plan.name, plan.kind)))
                });
            }
        }
        let (name, kind, span) = (plan.name.clone(), plan.kind, plan.span);
        all.insert(name.clone(), Wanted { name, kind, span, runs: runs(model, contents), published });
    }
    for (name, records) in published {
        let mut lives = records.iter().map(|record| record.kind);
        let was = lives.rfind(|kind| *kind != PackageKind::Tombstone).unwrap_or(PackageKind::Tombstone);
        let content = Arc::new(lower::tombstone(model, name, was));
        let contents = (0..model.fleet.releases.len())
            .map(|release| (release, (PackageKind::Tombstone, Arc::clone(&content))))
            .collect();
        all.insert(
            name.clone(),
            Wanted {
                name: name.clone(),
                kind: PackageKind::Tombstone,
                span: None,
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

/// Whether some of `releases` are before the last of `others`.
fn is_earlier(model: &Model, releases: &[Codename], others: &[Codename]) -> bool {
    let last = others.iter().filter_map(|release| position(model, release)).max();
    releases.iter().filter_map(|release| position(model, release)).any(|at| Some(at) < last)
}

/// Adds the relations on packages whose files a package takes over, though nothing moves in this build. They are a part
/// of the content, made anew with every build:
/// - what another package ships on an earlier release is replaced, in any version: a machine that goes to the next
///   release meets both, and in which order dpkg unpacks them is anybody's guess;
/// - what another package shipped and let go of is replaced up to the last version that had it, which can't stay without
///   its file (Debian Policy 7.6.1).
fn replace(input: &Input<'_>, wanted: &mut [Wanted<'_>], site: &[site::Published]) {
    let prefix = input.model.fleet.prefix.as_str();
    for wanted in &mut *wanted {
        for run in &mut wanted.runs {
            run.in_place = in_place(prefix, &run.content).into_iter().collect();
        }
    }
    let mut new: Vec<(usize, usize, RelationField, Relation)> = Vec::new();
    let ships = Ships::of(wanted, site);
    let mut by_path: BTreeMap<&str, Vec<(&PackageName, &[Codename])>> = BTreeMap::new();
    for (name, parts) in &ships.by_name {
        for (releases, paths) in parts {
            for path in paths {
                by_path.entry(path).or_default().push((name, releases));
            }
        }
    }
    let mut let_go: BTreeMap<&str, Vec<&LetGo>> = BTreeMap::new();
    for entry in input.previous.iter().flat_map(|manifest| &manifest.let_go) {
        let_go.entry(&entry.path).or_default().push(entry);
    }
    for (i, wanted) in wanted.iter().enumerate() {
        for (j, run) in wanted.runs.iter().enumerate() {
            for path in &run.in_place {
                for (other, releases) in by_path.get(path.as_str()).into_iter().flatten() {
                    if **other != wanted.name
                        && !overlap(releases, &run.releases)
                        && is_earlier(input.model, releases, &run.releases)
                    {
                        new.push((i, j, RelationField::Replaces, Relation::on((*other).clone())));
                    }
                }
                for entry in let_go.get(path.as_str()).into_iter().flatten() {
                    if entry.package != wanted.name && !ships.still(&entry.package, path, &run.releases) {
                        let version = entry.version.clone();
                        let relation = moved::relation(&entry.package, Comparison::EarlierOrEqual, version);
                        new.push((i, j, RelationField::Breaks, relation.clone()));
                        new.push((i, j, RelationField::Replaces, relation));
                    }
                }
            }
        }
    }
    drop((ships, by_path));
    for (i, j, field, relation) in new {
        let relations = Arc::make_mut(&mut wanted[i].runs[j].content).relations.entry(field).or_default();
        if !relations.contains(&relation) {
            relations.push(relation);
        }
    }
}

/// Neighbouring releases with the same content share a .deb. Releases with the same content that others lie between
/// do not: their versions have to rise with the release, so that a machine that is upgraded to the next release gets
/// that one's content.
fn runs<'a>(model: &Model, contents: BTreeMap<usize, (PackageKind, Arc<DebContent>)>) -> Vec<Run<'a>> {
    let mut runs: Vec<Run<'a>> = Vec::new();
    runs.reserve_exact(1);
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

fn hash(model: &Model, wanted: &mut Wanted<'_>) -> Result<(), Diagnostic> {
    for run in &mut wanted.runs {
        let package = deb::Package { name: &wanted.name, maintainer: &model.fleet.maintainer, content: &run.content };
        run.content_hash = package.content_hash().map_err(|error| unwritable(&wanted.name, wanted.span, &error))?;
    }
    Ok(())
}

/// What each package ships in place from now on, by release.
struct Ships<'w> {
    by_name: BTreeMap<&'w PackageName, Vec<Part<'w>>>,
}

/// The releases of one .deb and the paths in it.
type Part<'w> = (&'w [Codename], BTreeSet<&'w str>);

impl<'w> Ships<'w> {
    fn of(wanted: &'w [Wanted<'_>], site: &'w [site::Published]) -> Ships<'w> {
        let mut by_name: BTreeMap<_, Vec<Part<'w>>> = BTreeMap::new();
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

pub(super) fn overlap(a: &[Codename], b: &[Codename]) -> bool {
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
