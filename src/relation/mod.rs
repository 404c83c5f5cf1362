//! Relations between packages (Debian Policy 7.1): `a (>= 1) | b, c:any`.

mod parse;

pub use parse::{RelationError, RelationErrorKind, check_version, parse};

use crate::names::PackageName;
use std::fmt;

/// The fields of Debian Policy 7.2–7.6, in the order in which they are written to a control file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum RelationField {
    PreDepends,
    Depends,
    Recommends,
    Suggests,
    Enhances,
    Breaks,
    Conflicts,
    Replaces,
    Provides,
}

impl RelationField {
    pub const ALL: [RelationField; 9] = [
        Self::PreDepends,
        Self::Depends,
        Self::Recommends,
        Self::Suggests,
        Self::Enhances,
        Self::Breaks,
        Self::Conflicts,
        Self::Replaces,
        Self::Provides,
    ];
    /// The field's name in a control file.
    pub fn control_name(self) -> &'static str {
        match self {
            Self::PreDepends => "Pre-Depends",
            Self::Depends => "Depends",
            Self::Recommends => "Recommends",
            Self::Suggests => "Suggests",
            Self::Enhances => "Enhances",
            Self::Breaks => "Breaks",
            Self::Conflicts => "Conflicts",
            Self::Replaces => "Replaces",
            Self::Provides => "Provides",
        }
    }
    /// The key in a role's file.
    pub fn key(self) -> &'static str {
        match self {
            Self::PreDepends => "pre_depends",
            Self::Depends => "depends",
            Self::Recommends => "recommends",
            Self::Suggests => "suggests",
            Self::Enhances => "enhances",
            Self::Breaks => "breaks",
            Self::Conflicts => "conflicts",
            Self::Replaces => "replaces",
            Self::Provides => "provides",
        }
    }
    /// Whether `a | b` may stand in the field (Debian Policy 7.1).
    pub fn allows_alternatives(self) -> bool {
        matches!(self, Self::PreDepends | Self::Depends | Self::Recommends | Self::Suggests | Self::Enhances)
    }
}

/// `<<`, `<=`, `=`, `>=`, `>>` (Debian Policy 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Comparison {
    Earlier,
    EarlierOrEqual,
    Exactly,
    LaterOrEqual,
    Later,
}

impl Comparison {
    pub const ALL: [Comparison; 5] =
        [Self::Earlier, Self::EarlierOrEqual, Self::Exactly, Self::LaterOrEqual, Self::Later];
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Earlier => "<<",
            Self::EarlierOrEqual => "<=",
            Self::Exactly => "=",
            Self::LaterOrEqual => ">=",
            Self::Later => ">>",
        }
    }
    /// Whether it holds for a version that compares so with the relation's version.
    pub fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Self::Earlier => ordering.is_lt(),
            Self::EarlierOrEqual => ordering.is_le(),
            Self::Exactly => ordering.is_eq(),
            Self::LaterOrEqual => ordering.is_ge(),
            Self::Later => ordering.is_gt(),
        }
    }
}

/// One package of a relation: `name[:qualifier] [(op version)]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Possibility {
    pub name: PackageName,
    /// `any` or an architecture (deb-control(5)).
    pub qualifier: Option<String>,
    /// The version's text is a valid Debian version.
    pub version: Option<(Comparison, String)>,
}

/// `a | b | c`: one entry of a relation field. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Relation(pub Vec<Possibility>);

impl Relation {
    /// A relation on one package, any version.
    pub fn on(name: PackageName) -> Self {
        Relation(vec![Possibility { name, qualifier: None, version: None }])
    }
}

impl fmt::Display for Possibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if let Some(qualifier) = &self.qualifier {
            write!(f, ":{qualifier}")?;
        }
        if let Some((op, version)) = &self.version {
            write!(f, " ({} {version})", op.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, possibility) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(" | ")?;
            }
            possibility.fmt(f)?;
        }
        Ok(())
    }
}
