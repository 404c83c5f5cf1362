//! `<prefix>-runtime`: the machine's side, POSIX sh, from the texts in `runtime/` with the fleet's prefix set in.

use super::role::Variants;
use crate::deb::gzip;
use crate::model::Model;
use crate::names::{MachinePath, PackageName};
use crate::plan::{Claim, ClaimKind, ControlMember, DebContent, Entry, PackageKind, PackagePlan};
use crate::relation::{Relation, RelationField};
use std::collections::BTreeMap;

/// `<prefix>-runtime` itself, with `@PREFIX@` where the fleet's prefix goes. Written as one file for each idea, installed
/// as one file, so that dpkg replaces it at once and a run never sees parts of two versions. `start.sh` comes first,
/// `main.sh`, which calls the verb, last.
pub const SCRIPT: &str = concat!(
    include_str!("runtime/start.sh"),
    "\n",
    include_str!("runtime/marks.sh"),
    "\n",
    include_str!("runtime/record.sh"),
    "\n",
    include_str!("runtime/look.sh"),
    "\n",
    include_str!("runtime/check.sh"),
    "\n",
    include_str!("runtime/attempt.sh"),
    "\n",
    include_str!("runtime/files.sh"),
    "\n",
    include_str!("runtime/validate.sh"),
    "\n",
    include_str!("runtime/units.sh"),
    "\n",
    include_str!("runtime/settle.sh"),
    "\n",
    include_str!("runtime/queue.sh"),
    "\n",
    include_str!("runtime/apply.sh"),
    "\n",
    include_str!("runtime/verify.sh"),
    "\n",
    include_str!("runtime/main.sh"),
);
const MANUAL: &str = include_str!("runtime/pg-runtime.8");
const CONTROL: [(ControlMember, &str); 4] = [
    (ControlMember::Postinst, include_str!("runtime/postinst")),
    (ControlMember::Prerm, include_str!("runtime/prerm")),
    (ControlMember::Postrm, include_str!("runtime/postrm")),
    (ControlMember::Triggers, include_str!("runtime/triggers")),
];

/// The plan of the runtime package: the same on all releases.
pub fn lower(model: &Model) -> PackagePlan {
    let fleet = &model.fleet;
    let prefix = &fleet.prefix;
    let package = prefix.runtime_package();
    let set = |text: &str| text.replace("@PREFIX@", prefix.as_str());
    let path = |text: String| MachinePath::parse(&text).expect("a prefix makes valid paths");
    let manual = gzip::compress(set(MANUAL).as_bytes(), gzip::Level::Best);
    let overrides = format!(
        "\
# It only reads which of all paths of a transaction dpkg has installed, in one pass.
{package}: uses-dpkg-database-directly
"
    );
    let entries = BTreeMap::from([
        (path(format!("/usr/sbin/{package}")), Entry::File { mode: 0o755, bytes: set(SCRIPT).into_bytes().into() }),
        (path(format!("/usr/share/man/man8/{package}.8.gz")), Entry::File { mode: 0o644, bytes: manual.into() }),
        (
            path(format!("/usr/share/lintian/overrides/{package}")),
            Entry::File { mode: 0o644, bytes: overrides.into_bytes().into() },
        ),
    ]);
    // unshare and flock are util-linux's, deb-systemd-helper is init-system-helpers': both are Essential.
    let mount = PackageName::parse("mount").expect("a package's name");
    let deb = DebContent {
        summary: format!("applies the roles of {} to this machine", fleet.label),
        description: format!(
            "The roles and the machine's own package ({prefix}-role-*, {prefix}-host-*) carry their configuration \
             as payload. This package puts it in place as one transaction: it is validated in a private view of \
             /etc first, installed only if that succeeds, and services are reloaded once if something of theirs \
             changed. What was there before is kept and put back when a role goes.\n\nThe command {package} shows \
             what is applied (status), whether it is still as it was applied (verify), and which package a file \
             belongs to (owner)."
        ),
        homepage: fleet.homepage.clone(),
        relations: BTreeMap::from([(RelationField::Depends, vec![Relation::on(mount)])]),
        fields: BTreeMap::from([("Multi-Arch".to_owned(), "foreign".to_owned())]),
        entries,
        scripts: CONTROL.into_iter().map(|(member, text)| (member, set(text))).collect(),
    };
    let mut variants = Variants::default();
    for release in &fleet.releases {
        let claims = deb.entries.keys().map(|path| Claim {
            path: path.canonical(),
            kind: ClaimKind::InPlace,
            releases: vec![release.codename.value.clone()],
            span: fleet.span,
        });
        let claims = claims.collect();
        variants.add(&release.codename, deb.clone(), claims);
    }
    variants.into_plan(package, PackageKind::Runtime, None)
}
