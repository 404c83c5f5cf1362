//! A package before it has a version or bytes: what [`crate::lower`] makes of the model. Pure data; equal plans
//! make equal packages.

use crate::names::{AccountName, Codename, MachinePath, PackageName, SecretName};
use crate::relation::{Relation, RelationField};
use crate::source::{Span, Spanned};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One package of the fleet, in one variant for each set of releases on which it differs.
#[derive(Debug, Clone)]
pub struct PackagePlan {
    pub name: PackageName,
    pub kind: PackageKind,
    /// The file that it comes from.
    pub span: Option<Span>,
    /// Disjoint by release, sorted by the release's version. Never empty. One variant: no `+debNN` in the
    /// version.
    pub variants: Vec<Variant>,
    /// Every path that it puts, keeps away or changes on a machine, by release: for the check that no two packages
    /// that can meet claim one path.
    pub claims: Vec<Claim>,
    /// The secrets that it uses, by release.
    pub secrets: Vec<SecretUse>,
}

/// That what a package puts on machines has a secret in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretUse {
    pub name: SecretName,
    pub releases: Vec<Codename>,
    /// The template, or the place in it.
    pub span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PackageKind {
    Runtime,
    Keyring,
    Role,
    Host,
    /// People: the members of a group, or what all groups need.
    Access,
    /// The machines' SSH host keys.
    KnownHosts,
    /// Backups: what the machines need that are backed up, or those that keep the backups.
    Backup,
    /// What monitoring needs: the agent of every machine, or what a server asks.
    Monitoring,
    /// The site's own, from packages/.
    Site,
    /// Empty: what was published under this name has left the tree.
    Tombstone,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// The releases in whose suites it is published, oldest first.
    pub releases: Vec<Codename>,
    /// Shared with the build that makes it, so that it ends with whichever is done last.
    pub deb: Arc<DebContent>,
}

/// What is in a .deb, but for its version, content hash and changelog. Always `Architecture: all`,
/// `Section: admin`, `Priority: optional`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebContent {
    /// The synopsis: one line (Debian Policy 3.4.1).
    pub summary: String,
    /// Paragraphs of plain text; control-file markup is added when written.
    pub description: String,
    pub homepage: Option<String>,
    pub relations: BTreeMap<RelationField, Vec<Relation>>,
    /// Additional control fields (`Multi-Arch` → `foreign`), sorted by name.
    pub fields: &'static [(&'static str, &'static str)],
    /// Files, symlinks and *explicit* directories of data.tar; missing parent directories are added when written
    /// (root:root 0755). Everything is root:root. changelog.gz, copyright and md5sums are added when written.
    pub entries: BTreeMap<MachinePath, Entry>,
    /// Members of control.tar beside control and md5sums.
    pub scripts: BTreeMap<ControlMember, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entry {
    File { mode: u32, bytes: Arc<[u8]> },
    Symlink { target: String },
    Directory { mode: u32 },
}

/// A member of control.tar (Debian Policy 6, deb-triggers(5), debconf-devel(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControlMember {
    Preinst,
    Postinst,
    Prerm,
    Postrm,
    Config,
    Templates,
    Triggers,
    Conffiles,
}

impl ControlMember {
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Preinst => "preinst",
            Self::Postinst => "postinst",
            Self::Prerm => "prerm",
            Self::Postrm => "postrm",
            Self::Config => "config",
            Self::Templates => "templates",
            Self::Triggers => "triggers",
            Self::Conffiles => "conffiles",
        }
    }
    /// Maintainer scripts are 0755, the rest 0644.
    pub fn mode(self) -> u32 {
        match self {
            Self::Preinst | Self::Postinst | Self::Prerm | Self::Postrm | Self::Config => 0o755,
            Self::Templates | Self::Triggers | Self::Conffiles => 0o644,
        }
    }
}

/// That a package has a say about a path on a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// In its canonical form (`/lib/x` as `/usr/lib/x`).
    pub path: MachinePath,
    pub kind: ClaimKind,
    pub releases: Vec<Codename>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClaimKind {
    /// Shipped in place, in data.tar.
    InPlace,
    /// A file or a symlink, applied from payload by the runtime.
    Managed,
    /// A host's own rendering of a file that one of its roles claims: takes that file's place.
    Rendering,
    /// A directory: may be shared when mode, owner and group are the same.
    Directory { mode: u32, owner: AccountName, group: AccountName },
    /// Kept away, or the place of a masked unit: may be shared.
    Absent,
}

/// The spans of a plan's relations, for errors of apt's solver: which line asked for a package.
pub type RelationSpans = BTreeMap<PackageName, Vec<(RelationField, Spanned<Relation>)>>;
