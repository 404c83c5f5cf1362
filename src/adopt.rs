//! An existing machine into the tree: what is there, as a script that runs on it says ([`collector`], [`Facts`]); which
//! roles that looks like ([`near`]); and what a package of the fleet would change there ([`changes`]). Pure: who runs the
//! script, and who writes the file, is the command's business.

use crate::lower::machine_manifest::{FileKind, FileRecord, MachineManifest, Ownership, UnitState};
use crate::model::Model;
use crate::names::{Codename, HostName, MachinePath, PackageName, RoleName, UnitName};
use crate::plan::{DebContent, Entry, PackagePlan};
use crate::relation::{Relation, RelationField};
use crate::ssh_key::{self, PublicKey};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

const SCRIPT: &str = include_str!("adopt/collect.sh");

/// The number in the first line of what the script writes.
const FORMAT: u32 = 1;

/// A POSIX sh script that writes the facts of the machine that it runs on, as far as these packages can concern it.
pub fn collector(plans: &[PackagePlan]) -> String {
    let (mut paths, mut units) = (BTreeSet::new(), BTreeSet::new());
    for manifest in plans.iter().flat_map(|plan| &plan.variants).filter_map(|variant| manifest(&variant.deb)) {
        paths.extend(manifest.files.into_keys());
        paths.extend(manifest.links.into_keys());
        paths.extend(manifest.directories.into_keys());
        paths.extend(manifest.absent);
        paths.extend(manifest.host_bound);
        paths.extend(manifest.exclusive);
        units.extend(manifest.units.into_keys());
    }
    let lines = |items: Vec<String>| items.join("\n");
    SCRIPT
        .replace("@PATHS@", &lines(paths.iter().map(ToString::to_string).collect()))
        .replace("@UNITS@", &lines(units.iter().map(ToString::to_string).collect()))
}

/// What is on a machine.
#[derive(Debug, Default)]
pub struct Facts {
    /// Its own name, in full where the machine knows it so.
    pub name: String,
    /// `VERSION_CODENAME` of os-release(5).
    pub release: String,
    pub addresses: Vec<IpAddr>,
    /// Those that a fleet accepts.
    pub host_keys: Vec<PublicKey>,
    pub packages: BTreeSet<String>,
    pub paths: BTreeMap<String, Found>,
    /// As `systemctl is-enabled` has it.
    pub units: BTreeMap<String, String>,
    /// Not read by root: contents may be missing.
    pub partial: bool,
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Without its content where that is large or not to be read.
    File {
        ownership: String,
        content: Option<Vec<u8>>,
    },
    Link {
        target: String,
    },
    Directory {
        ownership: String,
    },
    /// A device, a socket, a pipe.
    Other,
}

impl Facts {
    /// Reads what [`collector`]'s script wrote. The error says what is wrong with which line.
    pub fn parse(text: &str) -> Result<Facts, String> {
        let mut lines = text.lines().enumerate();
        if lines.next().map(|(_, line)| line) != Some(&format!("debrole-facts {FORMAT}")) {
            return Err(format!("line 1: it begins with \"debrole-facts {FORMAT}\""));
        }
        let mut facts = Facts::default();
        let mut ended = false;
        for (number, line) in lines {
            ended = line == "end";
            facts.record(line).map_err(|what| format!("line {}: {what}", number + 1))?;
        }
        if !ended {
            return Err("it was cut off: the last line is \"end\"".into());
        }
        if facts.release.is_empty() {
            return Err("the machine's /etc/os-release names no release (VERSION_CODENAME)".into());
        }
        Ok(facts)
    }

    fn record(&mut self, line: &str) -> Result<(), String> {
        let fields: Vec<&str> = line.split(' ').collect();
        let ownership = |mode: &str, owner: &str, group: &str| format!("{mode:0>4} {owner} {group}");
        match fields.as_slice() {
            ["end"] => {}
            ["not-root"] => self.partial = true,
            ["name", name] => self.name = (*name).to_owned(),
            ["release", release] => self.release = (*release).to_owned(),
            ["address", address] => {
                let address = address.parse().map_err(|_| format!("{address:?} is no IP address"))?;
                self.addresses.push(address);
            }
            // A kind of key that a fleet does not accept is not taken over.
            ["host-key", kind, key] => self.host_keys.extend(PublicKey::parse(&format!("{kind} {key}"))),
            ["package", name] => drop(self.packages.insert((*name).to_owned())),
            ["unit", unit, state] => drop(self.units.insert((*unit).to_owned(), (*state).to_owned())),
            ["link", path, ..] => {
                let target = fields[2..].join(" ");
                self.paths.insert((*path).to_owned(), Found::Link { target });
            }
            ["dir", path, mode, owner, group] => {
                let ownership = ownership(mode, owner, group);
                self.paths.insert((*path).to_owned(), Found::Directory { ownership });
            }
            ["other", path, ..] => drop(self.paths.insert((*path).to_owned(), Found::Other)),
            ["file", path, mode, owner, group, content] => {
                let content = match *content {
                    "-" => None,
                    "=" => Some(Vec::new()),
                    text => Some(ssh_key::decode(text).ok_or("the content is not base64")?),
                };
                let ownership = ownership(mode, owner, group);
                self.paths.insert((*path).to_owned(), Found::File { ownership, content });
            }
            _ => return Err(format!("{line:?} is no fact")),
        }
        Ok(())
    }

    fn has(&self, relation: &Relation) -> bool {
        relation.0.iter().any(|possibility| self.packages.contains(possibility.name.as_str()))
    }
}

/// A role that a machine may have, by what is installed there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Near {
    pub role: RoleName,
    /// What the role depends on and the machine lacks; empty: it looks like this role.
    pub missing: Vec<String>,
    /// How many of its dependencies are there.
    pub there: usize,
}

/// The roles for this release of which the machine has the software, whole or in part, with all that they include; the
/// likeliest first. A role without software of its own is none that could be told.
pub fn near(model: &Model, facts: &Facts) -> Vec<Near> {
    let mut found: Vec<Near> = Vec::new();
    for name in model.roles.keys() {
        if !contents(model, [name], &facts.release).any(|content| depends(content).next().is_some()) {
            continue;
        }
        let closure = model.closure([name]);
        let wanted: Vec<&Relation> = contents(model, closure, &facts.release).flat_map(depends).collect();
        let missing: BTreeSet<String> = wanted.iter().filter(|r| !facts.has(r)).map(ToString::to_string).collect();
        let there = wanted.iter().filter(|r| facts.has(r)).count();
        if there > 0 {
            found.push(Near { role: name.clone(), missing: missing.into_iter().collect(), there });
        }
    }
    found.sort_by_key(|near| (near.missing.len(), usize::MAX - near.there, near.role.clone()));
    found
}

/// Of the roles that are there whole, those that no other one of them includes.
pub fn likely(model: &Model, near: &[Near]) -> Vec<RoleName> {
    let whole: Vec<&RoleName> = near.iter().filter(|near| near.missing.is_empty()).map(|near| &near.role).collect();
    let included = |name: &RoleName| whole.iter().any(|other| *other != name && model.closure([*other]).contains(name));
    let mut likely: Vec<RoleName> = whole.iter().filter(|name| !included(name)).map(|name| (*name).clone()).collect();
    likely.sort();
    likely
}

fn contents<'m>(
    model: &'m Model,
    roles: impl IntoIterator<Item = &'m RoleName>,
    release: &str,
) -> impl Iterator<Item = &'m crate::model::Content> {
    let roles: Vec<&RoleName> = roles.into_iter().collect();
    roles.into_iter().filter_map(move |name| {
        let contents = &model.roles.get(name)?.contents;
        contents.iter().find(|(codename, _)| codename.as_str() == release).map(|(_, content)| content.as_ref())
    })
}

fn depends(content: &crate::model::Content) -> impl Iterator<Item = &Relation> {
    content.relations.get(&RelationField::Depends).into_iter().flatten().map(|relation| &relation.value)
}

/// The new `hosts/<fqdn>.toml`.
pub fn host_toml(facts: &Facts, roles: &[RoleName]) -> String {
    // A JSON string is a TOML string.
    let list = |items: Vec<String>| serde_json::Value::from(items).to_string().replace("\",\"", "\", \"");
    let mut text = format!(
        "roles = {}\nrelease = {}\n",
        list(roles.iter().map(ToString::to_string).collect()),
        serde_json::Value::from(facts.release.as_str())
    );
    if !facts.addresses.is_empty() {
        text += &format!("addresses = {}\n", list(facts.addresses.iter().map(ToString::to_string).collect()));
    }
    if !facts.host_keys.is_empty() {
        text += &format!("ssh_host_key = {}\n", list(facts.host_keys.iter().map(ToString::to_string).collect()));
    }
    text
}

/// One thing that would be another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is not installed: as the relation names it.
    Install(String),
    /// The path is new.
    New {
        path: MachinePath,
        package: PackageName,
    },
    /// A file's content: what is there (unless it was not told), what would be.
    Content {
        path: MachinePath,
        package: PackageName,
        before: Option<Vec<u8>>,
        after: Arc<[u8]>,
    },
    /// Mode, owner or group alone, or the target of a symlink: what is, what would be.
    Attributes {
        path: MachinePath,
        package: PackageName,
        before: String,
        after: String,
    },
    /// Something else stands there: it is saved, and the machine's own word is needed where it is a directory.
    Replaced {
        path: MachinePath,
        package: PackageName,
        before: &'static str,
    },
    /// A directory that is there already: what no package put there is moved away.
    Exclusive {
        path: MachinePath,
        package: PackageName,
    },
    /// It is kept away, and comes back when the role goes.
    Away {
        path: MachinePath,
        package: PackageName,
    },
    Unit {
        unit: UnitName,
        package: PackageName,
        before: String,
        after: &'static str,
    },
}

/// What the host's package and its roles' would change, and how many paths are as they should be.
pub fn changes(model: &Model, plans: &[PackagePlan], host: &HostName, facts: &Facts) -> (Vec<Change>, usize) {
    let Some(definition) = model.hosts.get(host) else { return (Vec::new(), 0) };
    let prefix = &model.fleet.prefix;
    let codename = &definition.release.value;
    let mut packages = vec![prefix.host_package(host)];
    packages
        .extend(model.closure(definition.roles.iter().map(|r| &r.value)).into_iter().map(|r| prefix.role_package(r)));
    let mut changes = Vec::new();
    let mut same = 0;
    let (mut seen, mut wanted) = (BTreeSet::new(), BTreeSet::new());
    // The host's package first: what it has overrides the roles'.
    for package in packages {
        let Some(deb) = variant(plans, &package, codename) else { continue };
        for field in [RelationField::PreDepends, RelationField::Depends] {
            let missing = deb.relations.get(&field).into_iter().flatten().filter(|relation| !facts.has(relation));
            wanted.extend(missing.map(ToString::to_string).filter(|name| !name.starts_with(&format!("{prefix}-"))));
        }
        let Some(manifest) = manifest(deb) else { continue };
        let home = deb.entries.keys().find(|path| path.as_str().ends_with("/manifest")).map(|path| path.parent());
        let mut paths: Vec<Option<Change>> = Vec::new();
        for (path, record) in &manifest.files {
            let payload = home.and_then(|home| deb.entries.get(format!("{home}/files{path}").as_str()));
            let Some(Entry::File { bytes, .. }) = payload else { continue };
            if seen.insert(path.clone()) {
                paths.push(file(path, &package, record, bytes, facts));
            }
        }
        for (path, target) in &manifest.links {
            if seen.insert(path.clone()) {
                paths.push(link(path, &package, target, facts));
            }
        }
        for (path, ownership) in &manifest.directories {
            if seen.insert(path.clone()) {
                paths.push(directory(path, &package, ownership, facts));
            }
        }
        for path in &manifest.absent {
            if seen.insert(path.clone()) {
                let there = facts.paths.contains_key(path.as_str());
                paths.push(there.then(|| Change::Away { path: path.clone(), package: package.clone() }));
            }
        }
        same += paths.iter().filter(|change| change.is_none()).count();
        changes.extend(paths.into_iter().flatten());
        let exclusive = manifest.exclusive.iter().filter(|path| facts.paths.contains_key(path.as_str()));
        changes.extend(exclusive.map(|path| Change::Exclusive { path: path.clone(), package: package.clone() }));
        for (unit, state) in &manifest.units {
            let before = facts.units.get(unit.as_str()).map_or("not-found", String::as_str);
            let settled = match state {
                UnitState::Enabled => !["disabled", "masked"].contains(&before),
                UnitState::Disabled => !["enabled", "enabled-runtime"].contains(&before),
                UnitState::Masked => before == "masked",
            };
            // A unit that is not there comes with its software, which is told already.
            if !settled && before != "not-found" {
                let (unit, package, before) = (unit.clone(), package.clone(), before.to_owned());
                changes.push(Change::Unit { unit, package, before, after: state.as_str() });
            }
        }
    }
    let mut all: Vec<Change> = wanted.into_iter().map(Change::Install).collect();
    all.extend(changes);
    (all, same)
}

fn variant<'p>(plans: &'p [PackagePlan], package: &PackageName, codename: &Codename) -> Option<&'p DebContent> {
    let plan = plans.iter().find(|plan| plan.name == *package)?;
    plan.variants.iter().find(|variant| variant.releases.contains(codename)).map(|variant| &*variant.deb)
}

fn manifest(deb: &DebContent) -> Option<MachineManifest> {
    let (_, entry) = deb.entries.iter().find(|(path, _)| path.as_str().ends_with("/manifest"))?;
    match entry {
        Entry::File { bytes, .. } => MachineManifest::parse(std::str::from_utf8(bytes).ok()?).ok(),
        _ => None,
    }
}

fn file(
    path: &MachinePath,
    package: &PackageName,
    record: &FileRecord,
    bytes: &Arc<[u8]>,
    facts: &Facts,
) -> Option<Change> {
    let (path_, package_) = (path.clone(), package.clone());
    match facts.paths.get(path.as_str()) {
        None => Some(Change::New { path: path_, package: package_ }),
        // The machine's own from then on.
        Some(_) if record.kind == FileKind::Initial => None,
        Some(Found::File { ownership, content }) => {
            if content.as_deref() != Some(&**bytes) {
                let (before, after) = (content.clone(), Arc::clone(bytes));
                return Some(Change::Content { path: path_, package: package_, before, after });
            }
            attributes(path, package, ownership, &record.ownership)
        }
        Some(found) => Some(Change::Replaced { path: path_, package: package_, before: kind(found) }),
    }
}

fn link(path: &MachinePath, package: &PackageName, wanted: &str, facts: &Facts) -> Option<Change> {
    let (path_, package_) = (path.clone(), package.clone());
    match facts.paths.get(path.as_str()) {
        None => Some(Change::New { path: path_, package: package_ }),
        Some(Found::Link { target }) if target == wanted => None,
        Some(Found::Link { target }) => {
            let (before, after) = (format!("-> {target}"), format!("-> {wanted}"));
            Some(Change::Attributes { path: path_, package: package_, before, after })
        }
        Some(found) => Some(Change::Replaced { path: path_, package: package_, before: kind(found) }),
    }
}

fn directory(path: &MachinePath, package: &PackageName, wanted: &Ownership, facts: &Facts) -> Option<Change> {
    let (path_, package_) = (path.clone(), package.clone());
    match facts.paths.get(path.as_str()) {
        None => Some(Change::New { path: path_, package: package_ }),
        Some(Found::Directory { ownership }) => attributes(path, package, ownership, wanted),
        Some(found) => Some(Change::Replaced { path: path_, package: package_, before: kind(found) }),
    }
}

fn attributes(path: &MachinePath, package: &PackageName, before: &str, wanted: &Ownership) -> Option<Change> {
    let after = wanted.to_string();
    (before != after).then(|| Change::Attributes {
        path: path.clone(),
        package: package.clone(),
        before: before.to_owned(),
        after,
    })
}

fn kind(found: &Found) -> &'static str {
    match found {
        Found::File { .. } => "a file",
        Found::Link { .. } => "a symlink",
        Found::Directory { .. } => "a directory",
        Found::Other => "a device, a socket or a pipe",
    }
}
