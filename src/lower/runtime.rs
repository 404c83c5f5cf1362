//! `<prefix>-runtime`: the machine's side, POSIX sh, from the texts in `runtime/` with the fleet's prefix set in.

use super::role::Variants;
use crate::deb::gzip;
use crate::model::{Drift, Model, Refresh};
use crate::names::{MachinePath, PackageName, Prefix};
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
    include_str!("runtime/accounts.sh"),
    "\n",
    include_str!("runtime/others.sh"),
    "\n",
    include_str!("runtime/check.sh"),
    "\n",
    include_str!("runtime/attempt.sh"),
    "\n",
    include_str!("runtime/files.sh"),
    "\n",
    include_str!("runtime/hold.sh"),
    "\n",
    include_str!("runtime/validate.sh"),
    "\n",
    include_str!("runtime/units.sh"),
    "\n",
    include_str!("runtime/secrets.sh"),
    "\n",
    include_str!("runtime/settle.sh"),
    "\n",
    include_str!("runtime/munin.sh"),
    "\n",
    include_str!("runtime/queue.sh"),
    "\n",
    include_str!("runtime/apply.sh"),
    "\n",
    include_str!("runtime/verify.sh"),
    "\n",
    include_str!("runtime/refresh.sh"),
    "\n",
    include_str!("runtime/access.sh"),
    "\n",
    include_str!("runtime/web.sh"),
    "\n",
    include_str!("runtime/main.sh"),
);
/// `/usr/lib/<prefix>/access`: perl, because passwd and shadow are to be read and written as one, and perl-base is
/// Essential. One file for each idea, too; `start.pl` comes first, `main.pl`, which runs it, last.
pub const ACCESS: &str = concat!(
    include_str!("runtime/access/start.pl"),
    "\n",
    include_str!("runtime/access/data.pl"),
    "\n",
    include_str!("runtime/access/between.pl"),
    "\n",
    include_str!("runtime/access/decide.pl"),
    "\n",
    include_str!("runtime/access/keys.pl"),
    "\n",
    include_str!("runtime/access/database.pl"),
    "\n",
    include_str!("runtime/access/sessions.pl"),
    "\n",
    include_str!("runtime/access/homes.pl"),
    "\n",
    include_str!("runtime/access/main.pl"),
);
const ACCESS_SERVICE: &str = include_str!("runtime/access.service");
const ACCESS_TIMER: &str = include_str!("runtime/access.timer");
const MANUAL: &str = include_str!("runtime/pg-runtime.8");
const VERIFY_SERVICE: &str = include_str!("runtime/verify.service");
const VERIFY_TIMER: &str = include_str!("runtime/verify.timer");
const SECRETS_SERVICE: &str = include_str!("runtime/secrets.service");
const REFRESH_SERVICE: &str = include_str!("runtime/refresh.service");
const REFRESH_TIMER: &str = include_str!("runtime/refresh.timer");
/// What its maintainer scripts enable and start, without the prefix in their names.
const TIMERS: [&str; 4] = ["access.timer", "refresh-keyring.timer", "refresh.timer", "verify.timer"];
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
        fields: &[("Multi-Arch", "foreign")],
        entries: entries(prefix, &fleet.drift, &fleet.refresh),
        scripts: scripts(prefix),
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

/// The texts with the prefix in its places, and the timers' names where they are to be enabled and started.
fn set(prefix: &Prefix, text: &str) -> String {
    let timers = TIMERS.map(|name| format!("{prefix}-{name}"));
    text.replace("@PREFIX@", prefix.as_str()).replace("@TIMERS@", &timers.join(" "))
}

/// What is in the package.
pub fn entries(prefix: &Prefix, drift: &Drift, refresh: &Refresh) -> BTreeMap<MachinePath, Entry> {
    let package = prefix.runtime_package();
    let path = |text: String| MachinePath::parse(&text).expect("a prefix makes valid paths");
    let text = |text: String| Entry::File { mode: 0o644, bytes: text.into_bytes().into() };
    let manual = gzip::compress(set(prefix, MANUAL).as_bytes(), gzip::Level::Best);
    let overrides = format!(
        "\
# It only reads which of all paths of a transaction dpkg has installed, in one pass.
{package}: uses-dpkg-database-directly
"
    );
    let repair = if drift.repair { "yes" } else { "no" };
    let settings = format!("repair {repair}\ncopies {}\ncopy-days {}\n", drift.copies, drift.copy_days);
    let script = Entry::File { mode: 0o755, bytes: set(prefix, SCRIPT).into_bytes().into() };
    let access = Entry::File { mode: 0o755, bytes: set(prefix, ACCESS).into_bytes().into() };
    let mut entries = BTreeMap::from([
        (path(format!("/usr/lib/{prefix}/access")), access),
        (path(format!("/usr/sbin/{package}")), script),
        (path(format!("/usr/share/{prefix}/settings")), text(settings)),
        (path(format!("/usr/share/man/man8/{package}.8.gz")), Entry::File { mode: 0o644, bytes: manual.into() }),
        (path(format!("/usr/share/lintian/overrides/{package}")), text(overrides)),
    ]);
    let mut units = refresh_units(refresh);
    units.push(("access.service", ACCESS_SERVICE.to_owned()));
    units.push(("access.timer", ACCESS_TIMER.to_owned()));
    units.push(("verify.service", VERIFY_SERVICE.to_owned()));
    units.push(("verify.timer", VERIFY_TIMER.to_owned()));
    units.push(("secrets.service", SECRETS_SERVICE.to_owned()));
    // Wanted by the link alone, as systemd's own early units are: nobody is to disable it by mistake.
    entries.insert(
        path(format!("/usr/lib/systemd/system/sysinit.target.wants/{prefix}-secrets.service")),
        Entry::Symlink { target: format!("../{prefix}-secrets.service") },
    );
    for (name, unit) in units {
        entries.insert(path(format!("/usr/lib/systemd/system/{prefix}-{name}")), text(set(prefix, &unit)));
    }
    entries
}

/// Its maintainer scripts and triggers.
pub fn scripts(prefix: &Prefix) -> BTreeMap<ControlMember, String> {
    CONTROL.into_iter().map(|(member, text)| (member, set(prefix, text))).collect()
}

/// The units that call `refresh`, without the prefix in their names. Each period is the longest time from one run to
/// the next: three quarters of it are fixed, the rest is drawn anew each time, so that the fleet stays spread.
fn refresh_units(refresh: &Refresh) -> Vec<(&'static str, String)> {
    let service = |scope: &str, what: &str, wait: u64| {
        REFRESH_SERVICE.replace("@SCOPE@", scope).replace("@WAIT@", &wait.to_string()).replace("all packages", what)
    };
    let timer = |what: &str, seconds: u64| {
        REFRESH_TIMER
            .replace("@EVERY@", &period(seconds))
            .replace("@FIRST@", &(seconds / 16).to_string())
            .replace("@NEXT@", &(seconds - seconds / 4 - seconds / 16).to_string())
            .replace("@SPREAD@", &(seconds / 4).to_string())
            .replace("@ACCURACY@", &(seconds / 16).min(60).to_string())
            .replace("all packages", what)
    };
    const KEYRING: &str = "the keyring and access packages";
    const ALL: &str = "all packages";
    // No longer than until about the next firing; a person at apt is rarely there for longer than twenty minutes.
    let wait = |seconds: u64| (seconds / 2).min(1200);
    vec![
        ("refresh-keyring.service", service("--keyring", KEYRING, wait(refresh.keyring))),
        ("refresh-keyring.timer", timer(KEYRING, refresh.keyring)),
        ("refresh.service", service("--all", ALL, wait(refresh.roles))),
        ("refresh.timer", timer(ALL, refresh.roles)),
    ]
}

/// Seconds in the largest unit that divides them.
fn period(seconds: u64) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let (size, name) = units.into_iter().find(|(size, _)| seconds.is_multiple_of(*size)).unwrap_or((1, "second"));
    let count = seconds / size;
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}
