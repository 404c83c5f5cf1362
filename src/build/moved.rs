//! Files that move from one package to another. dpkg refuses to unpack a file that another installed package holds,
//! unless the new one `Replaces` it; with `Breaks` beside it the old package can't stay without its file
//! (Debian Policy 7.6.1). The relations are generated once, when the move is published; later versions carry them on
//! for machines that skip versions.

use super::version;
use crate::names::PackageName;
use crate::relation::{Comparison, Possibility, Relation, RelationField, parse};
use crate::repo::manifest::{Manifest, PackageRecord};
use std::collections::{BTreeMap, BTreeSet};

/// Who shipped what in place, as published.
#[derive(Debug, Default)]
pub struct Moves<'a> {
    before: BTreeMap<&'a str, Vec<&'a PackageRecord>>,
}

impl<'a> Moves<'a> {
    pub fn of(previous: Option<&'a Manifest>) -> Moves<'a> {
        let mut moves = Moves::default();
        for record in previous.iter().flat_map(|manifest| &manifest.packages) {
            for path in &record.in_place {
                moves.before.entry(path).or_default().push(record);
            }
        }
        moves
    }

    /// The published packages that `name` takes files from in this build: those that shipped one of `ships`, and of
    /// which `lets_go` says that they no longer do.
    pub fn sources(
        &self,
        name: &PackageName,
        ships: &BTreeSet<String>,
        lets_go: impl Fn(&PackageRecord, &str) -> bool,
    ) -> BTreeMap<&'a PackageName, &'a PackageRecord> {
        let mut found = BTreeMap::new();
        for path in ships {
            for record in self.before.get(path.as_str()).into_iter().flatten() {
                if record.name != *name && lets_go(record, path) {
                    found.insert(&record.name, *record);
                }
            }
        }
        found
    }
}

/// `name (operator version)`.
pub fn relation(name: &PackageName, operator: Comparison, version: String) -> Relation {
    Relation(vec![Possibility { name: name.clone(), qualifier: None, version: Some((operator, version)) }])
}

/// One relation a package, sorted: of several the one with the highest version, which holds the others.
pub fn merge(relations: impl IntoIterator<Item = Relation>) -> Vec<Relation> {
    let mut by_name: BTreeMap<PackageName, Relation> = BTreeMap::new();
    let version =
        |relation: &Relation| relation.0[0].version.as_ref().map_or_else(String::new, |(_, version)| version.clone());
    for relation in relations {
        let name = relation.0[0].name.clone();
        let lower = by_name.get(&name).is_none_or(|known| {
            version::compare(&version(known), &version(&relation)).is_none_or(|order| order.is_lt())
        });
        if lower {
            by_name.insert(name, relation);
        }
    }
    by_name.into_values().collect()
}

/// The generated relations of a published package, from its control text.
pub fn carried(record: &PackageRecord) -> Vec<Relation> {
    let Ok(stanza) = crate::deb::stanza::Stanza::parse(&record.control) else { return Vec::new() };
    let Some(value) = stanza.get(crate::deb::MOVED_FIELD) else { return Vec::new() };
    value.split(',').filter_map(|text| parse(text.trim(), RelationField::Breaks).ok()).collect()
}
