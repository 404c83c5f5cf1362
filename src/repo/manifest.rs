//! The manifest: what is published, as one immutable document a generation. It is the repository's only state;
//! everything else in `repo-out/` can be made again from it, the pool and the key.

use crate::names::{Architecture, Codename, PackageName};
use crate::plan::PackageKind;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The number of a manifest's format. A reader refuses a higher one.
pub const FORMAT: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Manifest {
    pub format: u32,
    /// Counts from 1; each publish adds one.
    pub generation: u64,
    /// `Date` of the Release files, in seconds since 1970 UTC. Strictly increases.
    pub date: i64,
    /// `Valid-Until`, likewise.
    pub valid_until: i64,
    /// Frozen from the first publish on: apt refuses a change.
    pub origin: String,
    pub label: String,
    pub architectures: Vec<Architecture>,
    /// Fingerprints of the keys that signed it.
    pub signed_by: Vec<String>,
    /// The package set, sorted by name, then version.
    pub packages: Vec<PackageRecord>,
    /// For every name ever published, the highest base version (`20261122.1`) it had: no version comes back lower.
    pub highest: BTreeMap<PackageName, String>,
    /// For each suite the files that its Release lists: path relative to `dists/<suite>/` → size and SHA-256.
    pub suites: BTreeMap<Codename, BTreeMap<String, FileHash>>,
    /// What clients of earlier generations may still fetch: removed after `until`. Sorted by path.
    pub retained: Vec<Retained>,
    /// Earlier generations whose directories are kept, sorted by number.
    #[serde(default)]
    pub earlier: Vec<EarlierGeneration>,
    /// What packages once shipped in place and let go of, with nobody there to take it: sorted. A package that takes it
    /// up later has to replace them on machines that have not followed.
    #[serde(default)]
    pub let_go: Vec<LetGo>,
}

/// A path that a package shipped in place until it left it, or left altogether.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LetGo {
    pub path: String,
    pub package: PackageName,
    /// The last version that had it.
    pub version: String,
}

/// [`Manifest::let_go`] of a generation with these packages that follows `head`.
pub fn let_go(head: Option<&Manifest>, packages: &[PackageRecord]) -> Vec<LetGo> {
    let Some(head) = head else { return Vec::new() };
    let mut ships: BTreeMap<&str, BTreeSet<&PackageName>> = BTreeMap::new();
    for record in packages {
        for path in &record.in_place {
            ships.entry(path).or_default().insert(&record.name);
        }
    }
    let still = |path: &str, name: &PackageName| ships.get(path).is_some_and(|names| names.contains(name));
    let mut found: BTreeMap<(&str, &PackageName), &str> = BTreeMap::new();
    for old in head.let_go.iter().filter(|old| !still(&old.path, &old.package)) {
        found.insert((&old.path, &old.package), &old.version);
    }
    // Sorted by version: the last one stays. Who takes it over at once replaces it by relations of its own.
    for record in &head.packages {
        for path in record.in_place.iter().filter(|path| !ships.contains_key(path.as_str())) {
            found.insert((path, &record.name), &record.version);
        }
    }
    let entry = |((path, package), version): ((&str, &PackageName), &str)| LetGo {
        path: path.to_owned(),
        package: package.clone(),
        version: version.to_owned(),
    };
    found.into_iter().map(entry).collect()
}

/// A generation that is no longer current.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EarlierGeneration {
    pub generation: u64,
    /// Its directory is removed after this time, in seconds since 1970 UTC.
    pub until: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FileHash {
    pub size: u64,
    /// Lower case hex.
    pub sha256: String,
}

/// A file of an earlier generation, below the repository's root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Retained {
    /// `pool/…` or `dists/<suite>/…/by-hash/SHA256/<sha256>`.
    pub path: String,
    pub size: u64,
    pub sha256: String,
    /// Seconds since 1970 UTC.
    pub until: i64,
}

/// One .deb of the package set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PackageRecord {
    pub name: PackageName,
    pub version: String,
    /// `all` for what debrole makes; the .deb's own for the site's packages.
    pub architecture: String,
    pub kind: PackageKind,
    /// The suites that list it, oldest release first.
    pub releases: Vec<Codename>,
    /// Below the repository's root: `pool/…`.
    pub filename: String,
    pub size: u64,
    pub sha256: String,
    /// The content hash (lower case hex); that of the bytes for the site's packages.
    pub content: String,
    /// The .deb's control stanza, verbatim, without a final newline: what the index repeats (Debian/apt#23).
    pub control: String,
    /// Paths that it ships in place (not payload), canonical: what a later move needs `Replaces` for.
    pub in_place: Vec<String>,
}
