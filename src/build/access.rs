//! What a build changes for people: which rights they gain and lose, machine by machine; and that no machine gets
//! another host key without the tree saying so.

use super::change::{Change, Difference};
use super::{Input, changelog, difference, outcome};
use crate::access::rights::{self, View};
use crate::deb::read::{Contents, Found};
use crate::deb::{self};
use crate::diagnostics::{Diagnostic, rules};
use crate::lower;
use crate::names::PackageName;
use crate::plan::PackageKind;
use crate::repo::manifest::PackageRecord;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

/// Who gains and loses what. Only packages that change are read from the pool: the others say what their plans say.
pub fn differences(input: &Input<'_>, changes: &[Change]) -> Result<Vec<rights::Difference>, Diagnostic> {
    let matters = |kind: PackageKind| {
        matches!(kind, PackageKind::Role | PackageKind::Host | PackageKind::Access | PackageKind::Tombstone)
    };
    let changed: BTreeSet<&PackageName> =
        changes.iter().filter(|c| c.is_change() && matters(c.kind)).map(|c| &c.name).collect();
    let people = |kind: PackageKind| kind == PackageKind::Access;
    let mut published = input.previous.iter().flat_map(|manifest| &manifest.packages);
    let any = input.plans.iter().any(|plan| people(plan.kind)) || published.any(|record| people(record.kind));
    if changed.is_empty() || !any {
        return Ok(Vec::new());
    }
    let after = lower::access::view(input.plans);
    let mut before = View::default();
    for plan in input.plans.iter().filter(|plan| !changed.contains(&plan.name)) {
        lower::access::add_plan(&mut before, plan);
    }
    let records = input.previous.iter().flat_map(|manifest| &manifest.packages);
    let old: Vec<&PackageRecord> =
        records.filter(|r| changed.contains(&r.name) && r.kind != PackageKind::Tombstone).collect();
    let read: Vec<_> = old.par_iter().map(|record| contents(input, record).map(|deb| (*record, deb))).collect();
    for read in read {
        let (record, deb) = read?;
        let depends = deb.stanza.get("Depends").map(names).unwrap_or_default();
        let texts = deb.entries.iter().filter_map(|(path, found)| match found {
            Found::File { bytes: Some(bytes), .. } => Some((path.as_str(), &bytes[..])),
            _ => None,
        });
        lower::access::add(&mut before, &record.name, record.kind, record.releases.clone(), depends, texts);
    }
    Ok(rights::differences(&input.model.fleet.prefix, &before, &after))
}

/// The names of a relation field, versions and alternatives aside.
fn names(value: &str) -> BTreeSet<PackageName> {
    let name = |one: &str| PackageName::parse(one.trim().split([' ', '(', ':']).next().unwrap_or("")).ok();
    value.split([',', '|']).filter_map(name).collect()
}

fn contents(input: &Input<'_>, record: &PackageRecord) -> Result<Contents, Diagnostic> {
    let read = |error: String| {
        Diagnostic::new(
            &rules::published_package_unreadable::RULE,
            format!("{} {}, as published, can't be read: {error}", record.name, record.version),
        )
        .note(format!("it should be at {} in the repository", record.filename))
        .help("put it back from a backup or a mirror: it says who has access now")
    };
    let bytes = input.published.read(&record.filename).map_err(|error| read(error.to_string()))?;
    deb::read::read(&bytes, |path| lower::access::keep(path) || path.ends_with("/known_hosts")).map_err(read)
}

/// Since when somebody has a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Since {
    /// Published at this time, in seconds since 1970 UTC.
    At(i64),
    /// Before this time: the packages' changelogs go no further back.
    Before(i64),
    /// Not published yet.
    Never,
}

/// The published packages that say who has access, read once each: what they say, and their changelogs.
pub struct History<'a> {
    input: Input<'a>,
    packages: BTreeMap<PackageName, Vec<Published>>,
}

/// One .deb of a package.
struct Published {
    /// [`difference::member`], [`difference::login`], [`difference::sudo`].
    says: BTreeSet<String>,
    changelog: String,
}

impl<'a> History<'a> {
    pub fn new(input: Input<'a>) -> Self {
        History { input, packages: BTreeMap::new() }
    }

    /// Since when a right is published: the later of the membership and the grant.
    pub fn since(&mut self, right: &rights::Right) -> Since {
        let access = self.input.model.fleet.prefix.access_package(&right.group);
        let grant = match &right.what {
            rights::What::Login => difference::login(right.group.as_str()),
            rights::What::Sudo(rule) => difference::sudo(right.group.as_str(), &format!("%{} {rule}", right.group)),
        };
        let member = self.told(&access, &difference::member(right.user.as_str()));
        let grant = self.told(&right.grant, &grant);
        member.max(grant)
    }

    fn told(&mut self, package: &PackageName, what: &str) -> Since {
        let input = self.input;
        let read = || {
            let records = input.previous.iter().flat_map(|manifest| &manifest.packages);
            let records = records.filter(|r| r.name == *package && r.kind != PackageKind::Tombstone);
            records.filter_map(|record| published(&input, record)).collect()
        };
        let found = self.packages.entry(package.clone()).or_insert_with(read);
        let item = outcome::sentence(&format!("{what} {}", Difference::ADDED));
        let told = found.iter().filter(|deb| deb.says.contains(what)).map(|deb| changelog::told(&deb.changelog, &item));
        // With several releases the one where it came first.
        told.map(|told| match told {
            Some((true, when)) => Since::At(when),
            Some((false, when)) => Since::Before(when),
            None => Since::Never,
        })
        .min()
        .unwrap_or(Since::Never)
    }
}

fn published(input: &Input<'_>, record: &PackageRecord) -> Option<Published> {
    let bytes = input.published.read(&record.filename).ok()?;
    let path = format!("/usr/share/doc/{}/changelog.gz", record.name);
    let deb = deb::read::read(&bytes, |file| file == path || lower::access::keep(file)).ok()?;
    let text = |found: &Found| match found {
        Found::File { bytes: Some(bytes), .. } => Some(bytes.clone()),
        _ => None,
    };
    let mut changelog = String::new();
    flate2::read::GzDecoder::new(&deb.entries.get(&path).and_then(text)?[..]).read_to_string(&mut changelog).ok()?;
    let says = difference::Snapshot::of_contents(&deb).access().map(str::to_owned).collect();
    Some(Published { says, changelog })
}

/// Host keys that are published and of which the tree says neither that they are in use nor that they are retired.
pub fn host_keys(input: &Input<'_>, wrong: &mut Vec<Diagnostic>) {
    let records = input.previous.iter().flat_map(|manifest| &manifest.packages);
    let Some(record) = records.clone().rfind(|record| record.kind == PackageKind::KnownHosts) else { return };
    let text = match contents(input, record) {
        Ok(deb) => deb.entries.into_iter().find_map(|(path, found)| match found {
            Found::File { bytes: Some(bytes), .. } if path.ends_with("/known_hosts") => String::from_utf8(bytes).ok(),
            _ => None,
        }),
        Err(diagnostic) => return wrong.push(diagnostic),
    };
    let mut published: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let text = text.unwrap_or_default();
    for line in text.lines().filter(|line| !line.starts_with('@')) {
        if let Some((names, key)) = line.split_once(' ') {
            published.entry(names.split(',').next().unwrap_or("")).or_default().push(key);
        }
    }
    for (name, host) in &input.model.hosts {
        for known in published.get(name.as_str()).into_iter().flatten() {
            let mut told = host.host_keys.iter().chain(&host.retired_host_keys);
            if told.any(|key| key.to_string() == *known) || input.withdrawn.iter().any(|key| key == known) {
                continue;
            }
            let kind = known.split(' ').next().unwrap_or("");
            let instead = host.host_keys.iter().find(|key| key.kind() == kind).or(host.host_keys.first());
            wrong.push(
                Diagnostic::new(
                    &rules::host_key_changed::RULE,
                    match instead {
                        Some(_) => format!("{name} is published with another host key"),
                        None => format!("{name} is published with a host key that the tree does not have any more"),
                    },
                )
                .at(instead.map_or(host.name.span, |key| key.span), "not what machines know it by")
                .note(format!("published: {known}"))
                .help("if the machine has a new key, list the old one: retired_ssh_host_key = \"…\"")
                .help("if nobody changed it, find out who answers with this key"),
            );
        }
    }
}
