//! What becomes of one package name: its published .debs stay, or new ones are to be made.

use super::change::{Change, Detail, Difference, What};
use super::difference::{self, Snapshot};
use super::draft::{Run, Wanted, overlap};
use super::version::Base;
use super::{Input, Job, changelog, moved, unwritable, version};
use crate::deb;
use crate::diagnostics::{Diagnostic, rules};
use crate::model::Model;
use crate::names::Codename;
use crate::plan::PackageKind;
use crate::relation::Relation;
use crate::repo::manifest::{Manifest, PackageRecord};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What becomes of one name.
pub(super) struct Outcome {
    pub change: Change,
    pub kept: Vec<PackageRecord>,
    pub jobs: Vec<Job>,
}

/// All published packages of the name stay right; only the releases that list them may differ.
pub(super) fn kept(wanted: &Wanted<'_>) -> Outcome {
    let mut records = Vec::with_capacity(wanted.runs.len());
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

/// A new version: its .debs, what they change, and their changelogs. `moving`: for each run the relations on packages
/// that it takes files from in this build.
pub(super) fn new(
    input: &Input<'_>,
    wanted: &Wanted<'_>,
    base: Base,
    moving: &[Vec<Relation>],
    time: i64,
) -> Result<Outcome, Vec<Diagnostic>> {
    let mut wrong = Vec::new();
    let mut jobs = Vec::with_capacity(wanted.runs.len());
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
            content: Arc::clone(&run.content),
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
pub(super) fn sentence(text: &str) -> String {
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
    let package = deb::Package { name: &wanted.name, maintainer: &input.model.fleet.maintainer, content: &run.content };
    let new = Snapshot::of_package(&package).map_err(|error| unwritable(&wanted.name, wanted.span, &error))?;
    Ok((difference::differences(&Snapshot::of_contents(&contents), &new), changelog))
}

/// /usr/share/doc/<name>/copyright for what brings none of its own (Debian Policy 12.5), after the name that it begins with.
pub(super) fn copyright(model: &Model, time: i64) -> String {
    let fleet = &model.fleet;
    let contact = fleet.homepage.as_deref().unwrap_or(&fleet.uri.value);
    let year = Base::first_of(time).map_or(1970, |base| base.date / 10_000);
    format!(
        " was made by debrole from the configuration of {}.\n\
         It is not part of Debian. Where it comes from: {contact}\n\
         \n\
         Copyright: {year} {}\n\
         \n\
         License: for use on the machines of {}. Its maintainer, {},\n\
         says what else may be done with it.\n",
        fleet.origin, fleet.origin, fleet.origin, fleet.maintainer
    )
}
