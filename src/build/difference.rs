//! What differs between a published .deb and a package to be: both are brought into one form, then compared. Files
//! that the runtime applies are named by the place where a machine has them, not by that of their payload.

use super::change::Difference;
use crate::access::format::{Grants, Member, Members};
use crate::deb::read::{Contents, Found};
use crate::deb::{self, stanza::Stanza};
use crate::lower;
use crate::lower::description;
use crate::lower::machine_manifest::{MachineManifest, Ownership};
use crate::plan::{DebContent, Entry};
use crate::relation::RelationField;
use crate::ssh_key::PublicKey;
use std::collections::{BTreeMap, BTreeSet};

/// A package in the form in which two are compared.
#[derive(Debug, Default)]
pub struct Snapshot {
    fields: BTreeMap<String, String>,
    relations: BTreeMap<&'static str, BTreeSet<String>>,
    members: BTreeMap<String, String>,
    /// In place: path → kind and content.
    paths: BTreeMap<String, (String, u32)>,
    manifest: Manifest,
    teardown: Option<String>,
    /// What is said of people: what it is, and what of it may change.
    access: BTreeMap<String, String>,
}

/// The runtime's manifest of a role or host package, by what its records are about.
#[derive(Debug, Default)]
struct Manifest {
    /// Path → (kind and content, permissions).
    managed: BTreeMap<String, (String, String)>,
    absent: BTreeSet<String>,
    host_bound: BTreeSet<String>,
    handling: BTreeMap<String, BTreeSet<String>>,
    units: BTreeMap<String, String>,
    setup: Option<String>,
}

/// How a change calls somebody's membership.
pub fn member(user: &str) -> String {
    format!("member {user}")
}

/// How a change calls what a group may do.
pub fn login(group: &str) -> String {
    format!("login of {group}")
}

pub fn sudo(group: &str, rule: &str) -> String {
    format!("sudo of {group} ({rule})")
}

/// Whether a file of a published .deb is wanted as text for comparing (the `keep` of [`deb::read::read`]).
pub fn keep(path: &str) -> bool {
    path.ends_with("/manifest") || path.ends_with("/changelog.gz") || lower::access::keep(path)
}

impl Snapshot {
    /// Of what is to be built.
    pub fn of_package(package: &deb::Package<'_>) -> Result<Snapshot, deb::Unwritable> {
        let mut snapshot = Snapshot::default();
        let stanza = Stanza::parse(&package.comparable_control()?).map_err(deb::Unwritable)?;
        snapshot.control(&stanza);
        for (member, text) in &package.content.scripts {
            snapshot.members.insert(member.file_name().to_string(), text.clone());
        }
        let content: &DebContent = package.content;
        let texts = content.entries.iter().filter_map(|(path, entry)| match entry {
            Entry::File { bytes, .. } if keep(path.as_str()) => Some((path.as_str(), &bytes[..])),
            _ => None,
        });
        let payload = snapshot.manifests(texts);
        for (path, entry) in &content.entries {
            let (kind, mode) = match entry {
                Entry::File { mode, bytes } => (format!("file {}", deb::sha256(bytes)), *mode),
                Entry::Symlink { target } => (format!("link {target}"), 0o777),
                Entry::Directory { mode } => ("directory".to_string(), *mode),
            };
            snapshot.path(path.as_str(), kind, mode, &payload);
        }
        Ok(snapshot)
    }

    /// Of what is published.
    pub fn of_contents(contents: &Contents) -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.control(&contents.stanza);
        snapshot.members = contents.members.clone();
        snapshot.members.remove("md5sums");
        let texts = contents.entries.iter().filter_map(|(path, found)| match found {
            Found::File { bytes: Some(bytes), .. } => Some((path.as_str(), &bytes[..])),
            _ => None,
        });
        let payload = snapshot.manifests(texts);
        for (path, found) in &contents.entries {
            let (kind, mode) = match found {
                Found::File { mode, sha256, .. } => (format!("file {sha256}"), *mode),
                Found::Symlink { target } => (format!("link {target}"), 0o777),
                Found::Directory { mode } => ("directory".to_string(), *mode),
                Found::Other => ("other".to_string(), 0),
            };
            snapshot.path(path, kind, mode, &payload);
        }
        snapshot
    }

    fn control(&mut self, stanza: &Stanza) {
        let moved: BTreeSet<String> = stanza.get(deb::MOVED_FIELD).map(relations).unwrap_or_default();
        for (name, value) in stanza.iter() {
            if let Some(field) = RelationField::ALL.into_iter().find(|field| field.control_name() == name) {
                let mut all = relations(value);
                if matches!(field, RelationField::Breaks | RelationField::Replaces) {
                    all.retain(|relation| !moved.contains(relation));
                }
                if !all.is_empty() {
                    self.relations.insert(field.control_name(), all);
                }
            } else if !["Version", "Installed-Size", deb::CONTENT_FIELD, deb::MOVED_FIELD].contains(&name) {
                self.fields.insert(name.to_string(), value.to_string());
            }
        }
    }

    /// Reads the manifests among the texts; returns the directories whose files are payload of one.
    fn manifests<'t>(&mut self, texts: impl Iterator<Item = (&'t str, &'t [u8])>) -> Vec<String> {
        let mut payload = Vec::new();
        for (path, bytes) in texts {
            if lower::access::keep(path) {
                self.people(path, &String::from_utf8_lossy(bytes));
            }
            if let Some(directory) = path.strip_suffix("/manifest")
                && let Ok(text) = std::str::from_utf8(bytes)
                && let Ok(manifest) = MachineManifest::parse(text)
            {
                payload.push(directory.to_string());
                self.manifest.add(manifest);
            }
        }
        payload
    }

    /// What is said of people, as changes call it.
    pub fn access(&self) -> impl Iterator<Item = &str> {
        self.access.keys().map(String::as_str)
    }

    fn people(&mut self, path: &str, text: &str) {
        if path.ends_with("/grants") {
            let grants = Grants::parse(text).unwrap_or_default();
            let login = grants.login.iter().map(|group| login(group.as_str()));
            let sudo =
                grants.sudo.iter().flat_map(|(group, lines)| lines.iter().map(|line| sudo(group.as_str(), line)));
            self.access.extend(login.chain(sudo).map(|what| (what, String::new())));
        }
        let Ok(members) = Members::parse(text) else { return };
        for (name, user) in &members.users {
            let Member { uid, shell, expires, home, full_name, adopt, .. } = user;
            self.access
                .insert(member(name.as_str()), format!("{uid} {shell} {expires:?} {home} {full_name} {adopt:?}"));
            for key in &user.keys {
                let shown = PublicKey::parse(&key.key).map_or_else(|_| key.key.clone(), |key| key.fingerprint());
                let limits = format!("{:?} {} {}", key.expires, key.from, key.hosts);
                self.access.insert(format!("key {shown} of {name}"), limits);
            }
        }
    }

    fn path(&mut self, path: &str, kind: String, mode: u32, payload: &[String]) {
        for directory in payload {
            if let Some(rest) = path.strip_prefix(directory.as_str())
                && (rest.is_empty() || rest.starts_with('/'))
            {
                if let Some(name) = rest.strip_prefix("/secrets/").and_then(|name| name.strip_suffix(".age")) {
                    self.paths.insert(format!("secret {name}"), (kind, mode));
                } else if rest == "/teardown" {
                    self.teardown = Some(kind);
                }
                return;
            }
        }
        // Parent directories come and go with what is in them.
        let plain_directory = kind == "directory" && mode == 0o755;
        // What is in it has been told.
        if path.ends_with("/members") && !self.access.is_empty() {
            return;
        }
        let written_last = ["/changelog.gz", "/copyright"].iter().any(|end| path.ends_with(end));
        if !(plain_directory || path.starts_with("/usr/share/doc/") && written_last) {
            self.paths.insert(path.to_string(), (kind, mode));
        }
    }
}

fn relations(value: &str) -> BTreeSet<String> {
    let normal = |relation: &str| relation.split_whitespace().collect::<Vec<_>>().join(" ");
    value.split(',').map(normal).filter(|relation| !relation.is_empty()).collect()
}

impl Manifest {
    fn add(&mut self, manifest: MachineManifest) {
        for (path, file) in manifest.files {
            let kind = file.kind.as_str();
            self.managed.insert(path.to_string(), (format!("{kind} {}", file.sha256), permissions(&file.ownership)));
        }
        for (path, ownership) in manifest.directories {
            self.managed.insert(path.to_string(), ("directory".to_string(), permissions(&ownership)));
        }
        for (path, target) in manifest.links {
            self.managed.insert(path.to_string(), (format!("link {target}"), String::new()));
        }
        self.absent.extend(manifest.absent.iter().map(ToString::to_string));
        let bound = manifest.host_bound.iter().chain(&manifest.host_bound_secrets);
        self.host_bound.extend(bound.map(ToString::to_string));
        for (path, package) in manifest.adopted {
            self.handling.entry(path.to_string()).or_default().insert(format!("adopt {package}"));
        }
        for path in manifest.exclusive {
            self.handling.entry(path.to_string()).or_default().insert("exclusive".to_owned());
        }
        for (path, commands) in manifest.validate {
            self.handling.entry(path.to_string()).or_default().extend(commands);
        }
        for (verb, pairs) in [("reload", manifest.reload), ("restart", manifest.restart)] {
            for (path, unit) in pairs {
                self.handling.entry(path.to_string()).or_default().insert(format!("{verb} {unit}"));
            }
        }
        for (unit, state) in manifest.units {
            self.units.insert(unit.to_string(), state.as_str().to_string());
        }
        for (unit, own) in manifest.own_units {
            self.units.insert(unit.to_string(), if own.enabled { "enabled" } else { "static" }.to_string());
        }
        self.setup = manifest.setup;
    }
}

/// `0644 root:root`.
fn permissions(ownership: &Ownership) -> String {
    format!("{:04o} {}:{}", ownership.mode, ownership.owner, ownership.group)
}

/// What changed from `old` to `new`, in a fixed order.
pub fn differences(old: &Snapshot, new: &Snapshot) -> Vec<Difference> {
    let mut found = Vec::new();
    let empty = BTreeSet::new();
    for field in crate::deb::control::RELATIONS.map(RelationField::control_name) {
        let (before, after) = (old.relations.get(field).unwrap_or(&empty), new.relations.get(field).unwrap_or(&empty));
        if before != after {
            found.push(Difference::Relations {
                field: field.to_string(),
                added: after.difference(before).cloned().collect(),
                removed: before.difference(after).cloned().collect(),
            });
        }
    }
    for (key, before, after) in pairs(&old.manifest.managed, &new.manifest.managed) {
        let path = key.clone();
        found.extend(match (before, after) {
            (None, _) => Some(Difference::PathAdded { path }),
            (_, None) => Some(Difference::PathRemoved { path }),
            (Some(a), Some(b)) if a.0 != b.0 => Some(Difference::PathChanged { path }),
            (Some(a), Some(b)) if a.1 != b.1 => {
                Some(Difference::Permissions { path, from: a.1.clone(), to: b.1.clone() })
            }
            _ => None,
        });
    }
    for (key, before, after) in pairs(&old.paths, &new.paths) {
        let path = key.clone();
        found.extend(match (before, after) {
            (None, _) => Some(Difference::PathAdded { path }),
            (_, None) => Some(Difference::PathRemoved { path }),
            (Some(a), Some(b)) if a.0 != b.0 => Some(Difference::PathChanged { path }),
            (Some(a), Some(b)) if a.1 != b.1 => {
                Some(Difference::Permissions { path, from: format!("{:04o}", a.1), to: format!("{:04o}", b.1) })
            }
            _ => None,
        });
    }
    for (what, before, after) in pairs(&old.access, &new.access) {
        let change = match (before, after) {
            (None, _) => Difference::ADDED,
            (_, None) => "removed",
            (Some(a), Some(b)) if a != b => "changed",
            _ => continue,
        };
        found.push(Difference::Access { what: what.clone(), change });
    }
    let toggled = |a: &BTreeSet<String>, b: &BTreeSet<String>| -> Vec<(String, bool)> {
        a.symmetric_difference(b).map(|path| (path.clone(), b.contains(path))).collect()
    };
    for (path, now) in toggled(&old.manifest.absent, &new.manifest.absent) {
        found.push(Difference::KeptAway { path, now });
    }
    for (path, now) in toggled(&old.manifest.host_bound, &new.manifest.host_bound) {
        found.push(Difference::HostBound { path, now });
    }
    for (path, before, after) in pairs(&old.manifest.handling, &new.manifest.handling) {
        // With a path that comes or goes, how it is handled does too.
        let there = |snapshot: &Snapshot| {
            snapshot.manifest.managed.contains_key(path) || snapshot.manifest.absent.contains(path)
        };
        if before != after && there(old) && there(new) {
            found.push(Difference::Handling { path: path.clone() });
        }
    }
    for (unit, before, after) in pairs(&old.manifest.units, &new.manifest.units) {
        if before != after {
            found.push(Difference::Unit { unit: unit.clone(), from: before.cloned(), to: after.cloned() });
        }
    }
    for (name, before, after) in
        [("setup", &old.manifest.setup, &new.manifest.setup), ("teardown", &old.teardown, &new.teardown)]
    {
        if before != after {
            found.push(Difference::Fragment { name: name.to_string() });
        }
    }
    for (name, before, after) in pairs(&old.members, &new.members) {
        if before != after {
            found.push(Difference::Member { name: name.clone() });
        }
    }
    for (name, before, after) in pairs(&old.fields, &new.fields) {
        if before != after {
            let written = |value: Option<&String>| value.map(|value| description::written(value).to_owned());
            match name.as_str() {
                // The rest of it says what the package does: told already, as what changed.
                "Description" if written(before) == written(after) && !found.is_empty() => {}
                "Description" => found.push(Difference::Description),
                _ => found.push(Difference::Field { name: name.clone() }),
            }
        }
    }
    found
}

/// The keys of both maps in order, with the value on either side.
fn pairs<'m, V>(
    old: &'m BTreeMap<String, V>,
    new: &'m BTreeMap<String, V>,
) -> impl Iterator<Item = (&'m String, Option<&'m V>, Option<&'m V>)> {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    keys.into_iter().map(|key| (key, old.get(key), new.get(key)))
}
