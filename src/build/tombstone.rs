//! What is published of a package that left the tree: an empty version, higher than the last. A machine that has the
//! package upgrades to it like to any other version, and so lets go of what the package had put there. Without it the
//! package would stay on machines for ever, as it was.

use crate::model::Model;
use crate::names::PackageName;
use crate::plan::{ControlMember, DebContent};
use std::collections::BTreeMap;

/// No files, no dependencies; its postinst has the runtime, where there is one, look at what is installed now.
pub fn content(model: &Model, name: &PackageName) -> DebContent {
    let prefix = &model.fleet.prefix;
    let postinst = format!(
        "#!/bin/sh\n\
         set -e\n\
         case \"$1\" in\n\
         configure|abort-upgrade|abort-deconfigure|abort-remove)\n\
         \x20   dpkg-trigger --no-await {prefix}-apply\n\
         \x20   ;;\n\
         esac\n\
         exit 0\n"
    );
    DebContent {
        summary: format!("Empty package: {name} has left the fleet"),
        description: format!(
            "{name} is no longer part of {}. This version is empty: upgrading to it takes away from the machine what \
             earlier versions had put there.\n\nIt can be removed.",
            model.fleet.label
        ),
        homepage: model.fleet.homepage.clone(),
        relations: BTreeMap::new(),
        fields: BTreeMap::new(),
        entries: BTreeMap::new(),
        scripts: BTreeMap::from([(ControlMember::Postinst, postinst)]),
    }
}
