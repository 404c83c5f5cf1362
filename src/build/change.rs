//! What a build changes, package by package: for the summary of `plan` and `build`, and for the changelogs.

use crate::names::{Codename, PackageName};
use crate::plan::PackageKind;
use std::fmt;

/// One package name and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub name: PackageName,
    pub kind: PackageKind,
    pub what: What,
    /// Sorted; those that are not true of all releases say of which.
    pub details: Vec<Detail>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// New in the tree.
    Added {
        version: String,
    },
    /// Back in the tree: its tombstone, or an earlier life, is `from`.
    Returned {
        from: String,
        version: String,
    },
    Changed {
        from: String,
        version: String,
    },
    /// Left the tree: published once more as an empty package.
    Tombstone {
        from: String,
        version: String,
    },
    /// A package of the site's own is no longer in packages/. It has no tombstone: its content and its versions are
    /// not debrole's to continue, so machines keep what they have installed.
    Left {
        version: String,
    },
    /// The same bytes, listed for other releases than before.
    Relisted {
        version: String,
        added: Vec<Codename>,
        removed: Vec<Codename>,
    },
    Unchanged {
        version: String,
    },
}

impl Change {
    /// Whether anything is published that was not before.
    pub fn is_change(&self) -> bool {
        !matches!(self.what, What::Unchanged { .. })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.what {
            What::Added { version } => write!(f, "{name} {version}: new")?,
            What::Returned { from, version } => write!(f, "{name} {from} → {version}: back in the tree")?,
            What::Tombstone { from, version } => write!(
                f,
                "{name} {from} → {version}: left the tree; published once more, empty, so that machines let go of it"
            )?,
            What::Left { version } => write!(
                f,
                "{name} {version}: left packages/ and the index; machines that have it keep it (a package that debrole \
                 did not make gets no empty successor)"
            )?,
            What::Relisted { version, added, removed } => {
                write!(f, "{name} {version}: the same bytes,")?;
                for (sign, releases) in [("for", added), ("no longer for", removed)] {
                    if !releases.is_empty() {
                        let names: Vec<&str> = releases.iter().map(Codename::as_str).collect();
                        write!(f, " {sign} {}", names.join(", "))?;
                    }
                }
            }
            What::Unchanged { version } => write!(f, "{name} {version}: unchanged")?,
            What::Changed { from, version } => {
                write!(f, "{name} {from} → {version}")?;
                // Nothing is known of the inside of the site's own packages.
                if self.details.is_empty() && self.kind != PackageKind::Site {
                    f.write_str(": built again, its content is the same")?;
                }
                for (i, detail) in self.details.iter().enumerate() {
                    write!(f, "{}{detail}", if i == 0 { ": " } else { "; " })?;
                }
            }
        }
        Ok(())
    }
}

/// One difference between the published package and the new one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Detail {
    pub difference: Difference,
    /// The releases of which it is true; empty: all that the package is for.
    pub releases: Vec<Codename>,
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.difference.fmt(f)?;
        if !self.releases.is_empty() {
            let names: Vec<&str> = self.releases.iter().map(Codename::as_str).collect();
            write!(f, " ({})", names.join(", "))?;
        }
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// A relation field (`Depends`): relations that came and went.
    Relations {
        field: String,
        added: Vec<String>,
        removed: Vec<String>,
    },
    /// Another control field has another value.
    Field {
        name: String,
    },
    /// The extended description or the synopsis.
    Description,
    PathAdded {
        path: String,
    },
    PathRemoved {
        path: String,
    },
    /// Its content, kind or target is another.
    PathChanged {
        path: String,
    },
    /// `mode 0644 → 0600, owner root:root → www-data:www-data`.
    Permissions {
        path: String,
        from: String,
        to: String,
    },
    /// `[[absent]]`: kept away from now on, or no longer.
    KeptAway {
        path: String,
        now: bool,
    },
    /// The file needs a host package from now on, or no longer.
    HostBound {
        path: String,
        now: bool,
    },
    /// What validates it, or what is reloaded or restarted for it.
    Handling {
        path: String,
    },
    /// The state that a unit is kept in; None: not ours to say.
    Unit {
        unit: String,
        from: Option<String>,
        to: Option<String>,
    },
    /// The role's `setup` or `teardown`.
    Fragment {
        name: String,
    },
    /// A member of control.tar: `postinst`.
    Member {
        name: String,
    },
    /// Who is in a group and by which keys, what a role or host lets groups do: `member bob`, `login of webteam`. See
    /// [`Difference::ADDED`].
    Access {
        what: String,
        change: &'static str,
    },
    /// Took over files from a package: what Breaks and Replaces were generated for.
    TookOver {
        from: String,
    },
}

impl Difference {
    /// What [`Difference::Access`] says of what is new: the changelog is asked for it later.
    pub const ADDED: &str = "added";
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relations { field, added, removed } => {
                f.write_str(field)?;
                let all = added.iter().map(|r| ('+', r)).chain(removed.iter().map(|r| ('-', r)));
                for (i, (sign, relation)) in all.enumerate() {
                    write!(f, "{} {sign}{relation}", if i == 0 { "" } else { "," })?;
                }
                Ok(())
            }
            Self::Field { name } => write!(f, "{name} changed"),
            Self::Description => f.write_str("description changed"),
            Self::PathAdded { path } => write!(f, "{path} added"),
            Self::PathRemoved { path } => write!(f, "{path} removed"),
            Self::PathChanged { path } => write!(f, "{path} changed"),
            Self::Permissions { path, from, to } => write!(f, "{path} {from} → {to}"),
            Self::KeptAway { path, now: true } => write!(f, "{path} kept away"),
            Self::KeptAway { path, now: false } => write!(f, "{path} no longer kept away"),
            Self::HostBound { path, now: true } => write!(f, "{path} now comes from the host's package"),
            Self::HostBound { path, now: false } => write!(f, "{path} no longer needs the host's package"),
            Self::Handling { path } => write!(f, "{path}: other validation, reloads or restarts"),
            Self::Unit { unit, from: None, to: Some(to) } => write!(f, "{unit} {to}"),
            Self::Unit { unit, from: Some(from), to: Some(to) } => write!(f, "{unit} {from} → {to}"),
            Self::Unit { unit, from, to: None } => {
                write!(f, "{unit} no longer {}", from.as_deref().unwrap_or("managed"))
            }
            Self::Fragment { name } | Self::Member { name } => write!(f, "{name} changed"),
            Self::Access { what, change } => write!(f, "{what} {change}"),
            Self::TookOver { from } => write!(f, "took over files from {from}"),
        }
    }
}
