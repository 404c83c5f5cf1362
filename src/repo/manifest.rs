//! The manifest: what is published, as one immutable document a generation. It is the repository's only state;
//! everything else in `repo-out/` can be made again from it, the pool and the key.

use crate::names::{Architecture, Codename, PackageName};
use crate::plan::PackageKind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
