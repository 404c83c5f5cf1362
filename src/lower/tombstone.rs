//! What is published of a package that left the tree: an empty version, higher than the last. A machine that has
//! the package upgrades to it as to any other version, and so lets go of what the package had put there. Without it
//! the package would stay on machines for ever, as it was.

use super::scripts;
use crate::model::Model;
use crate::names::PackageName;
use crate::plan::{DebContent, PackageKind};
use std::collections::BTreeMap;

/// The empty package in the place of one of the kind `was`. It depends on nothing, so nothing can keep it back.
pub fn tombstone(model: &Model, name: &PackageName, was: PackageKind) -> DebContent {
    let fleet = &model.fleet;
    let scripts = match was {
        PackageKind::Runtime => scripts::runtime_tombstone(name),
        // The keyring ran nothing, and neither do packages that debrole did not make.
        PackageKind::Keyring | PackageKind::KnownHosts | PackageKind::Site => BTreeMap::new(),
        PackageKind::Backup => scripts::backup_gone(),
        PackageKind::Access if *name == fleet.prefix.people_package() => scripts::people(&fleet.prefix),
        PackageKind::Access => scripts::access(&fleet.prefix),
        PackageKind::Role | PackageKind::Host | PackageKind::Monitoring | PackageKind::Tombstone => {
            scripts::tombstone(&fleet.prefix, name)
        }
    };
    DebContent {
        summary: format!("empty package: {name} has left the fleet"),
        description: format!(
            "The package {name} is no longer part of {label}. This version of it is empty: upgrading to it takes \
             off the machine what earlier versions had put there, and puts back what was there before \
             them.\n\nNothing needs this package any more; it can be removed.",
            label = fleet.label
        ),
        homepage: fleet.homepage.clone(),
        relations: BTreeMap::new(),
        fields: &[("Multi-Arch", "foreign")],
        entries: BTreeMap::new(),
        scripts,
    }
}
