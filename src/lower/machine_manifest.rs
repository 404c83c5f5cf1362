//! The manifest that a package carries for the machine's runtime: what is to be applied, one record a line. The
//! format is this module's and the runtime's (`runtime/`); a POSIX shell reads it with `read -r`, so fields are
//! separated by single spaces and only a record's last field may hold spaces.

use crate::names::{AccountName, MachinePath, PackageName, UnitName};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The number in a manifest's first line. A runtime refuses another.
pub const FORMAT: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineManifest {
    pub package: PackageName,
    pub files: BTreeMap<MachinePath, FileRecord>,
    /// Path → target, as it is written into the symlink.
    pub links: BTreeMap<MachinePath, String>,
    pub directories: BTreeMap<MachinePath, Ownership>,
    pub absent: BTreeSet<MachinePath>,
    /// Files that only the machine's host package can hold: until it does, the services are held.
    pub host_bound: BTreeSet<MachinePath>,
    /// The same of secrets in files of their own, by their paths in `/run/<prefix>-secrets`.
    pub host_bound_secrets: BTreeSet<MachinePath>,
    /// Files in the place of one that this package's maintainer scripts made: there while it is installed.
    pub adopted: BTreeMap<MachinePath, PackageName>,
    /// Directories in which nothing but what packages put there may be.
    pub exclusive: BTreeSet<MachinePath>,
    /// Commands that must succeed before a change of this package takes effect, in the order written.
    pub validate: BTreeMap<MachinePath, Vec<String>>,
    pub reload: BTreeSet<(MachinePath, UnitName)>,
    pub restart: BTreeSet<(MachinePath, UnitName)>,
    pub units: BTreeMap<UnitName, UnitState>,
    /// Units that the package ships in place.
    pub own_units: BTreeMap<UnitName, OwnUnit>,
    /// System accounts, and the file of sysusers.d(5) that has each: made before anything is put in place.
    pub accounts: BTreeMap<AccountName, MachinePath>,
    /// SHA-256 of the setup script (lower case hex): it runs when this is not the one that last succeeded.
    pub setup: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ownership {
    /// Permission bits, at most 0o7777.
    pub mode: u32,
    pub owner: AccountName,
    pub group: AccountName,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRecord {
    pub ownership: Ownership,
    /// Lower case hex.
    pub sha256: String,
    pub kind: FileKind,
}

/// What a file's record begins with: what becomes of it on the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// `file`: as it is here, always.
    Managed,
    /// `initial`: put there if nothing is, then left alone.
    Initial,
    /// `divert`: in the place of another package's file.
    Divert,
}

impl FileKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Managed => "file",
            Self::Initial => "initial",
            Self::Divert => "divert",
        }
    }
}

/// The state that a unit is put into; what it was before is the runtime's to remember.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitState {
    Enabled,
    Disabled,
    Masked,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnUnit {
    pub enabled: bool,
    /// Of the unit's text, lower case hex: a change restarts it.
    pub sha256: String,
}

impl UnitState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Masked => "masked",
        }
    }
}

impl fmt::Display for Ownership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o} {} {}", self.mode, self.owner, self.group)
    }
}

impl MachineManifest {
    pub fn new(package: PackageName) -> Self {
        MachineManifest {
            package,
            files: BTreeMap::new(),
            links: BTreeMap::new(),
            directories: BTreeMap::new(),
            absent: BTreeSet::new(),
            host_bound: BTreeSet::new(),
            host_bound_secrets: BTreeSet::new(),
            adopted: BTreeMap::new(),
            exclusive: BTreeSet::new(),
            validate: BTreeMap::new(),
            reload: BTreeSet::new(),
            restart: BTreeSet::new(),
            units: BTreeMap::new(),
            own_units: BTreeMap::new(),
            accounts: BTreeMap::new(),
            setup: None,
        }
    }

    /// Reads what [`fmt::Display`] writes. The error names the line (from 1) and says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().enumerate();
        let at = |number: usize, what: &str| format!("line {}: {what}", number + 1);
        match lines.next() {
            Some((_, line)) if line == format!("debrole-manifest {FORMAT}") => {}
            _ => return Err(at(0, &format!("a manifest starts with \"debrole-manifest {FORMAT}\""))),
        }
        let mut manifest = match lines.next().and_then(|(_, line)| line.strip_prefix("package ")) {
            Some(name) => MachineManifest::new(PackageName::parse(name).map_err(|e| at(1, &e))?),
            None => return Err(at(1, "the package's name is missing")),
        };
        for (number, line) in lines {
            manifest.record(line).map_err(|e| at(number, &e))?;
        }
        Ok(manifest)
    }

    fn record(&mut self, line: &str) -> Result<(), String> {
        let (kind, rest) = line.split_once(' ').ok_or("a record has a kind and fields")?;
        let path = |text: &str| MachinePath::parse(text);
        let pair = || rest.split_once(' ').ok_or_else(|| format!("a {kind} record has two fields or more"));
        let on_path = || -> Result<_, String> {
            let (at, unit) = pair()?;
            Ok((path(at)?, UnitName::parse(unit)?))
        };
        let fields: Vec<&str> = rest.split(' ').collect();
        match (kind, fields.as_slice()) {
            ("file" | "initial" | "divert", [at, mode, owner, group, sha256]) => {
                let kind = match kind {
                    "initial" => FileKind::Initial,
                    "divert" => FileKind::Divert,
                    _ => FileKind::Managed,
                };
                let record = FileRecord { ownership: ownership(mode, owner, group)?, sha256: sha256.to_string(), kind };
                self.files.insert(path(at)?, record);
            }
            ("dir", [at, mode, owner, group]) => {
                self.directories.insert(path(at)?, ownership(mode, owner, group)?);
            }
            ("link", _) => {
                let (at, target) = pair()?;
                self.links.insert(path(at)?, target.to_owned());
            }
            ("absent", _) => {
                self.absent.insert(path(rest)?);
            }
            ("host-bound", _) => {
                self.host_bound.insert(path(rest)?);
            }
            ("host-bound-secret", _) => {
                self.host_bound_secrets.insert(path(rest)?);
            }
            ("adopt", [at, package]) => {
                self.adopted.insert(path(at)?, PackageName::parse(package)?);
            }
            ("exclusive", _) => {
                self.exclusive.insert(path(rest)?);
            }
            ("validate", _) => {
                let (at, command) = pair()?;
                self.validate.entry(path(at)?).or_default().push(command.to_owned());
            }
            ("reload", _) => {
                self.reload.insert(on_path()?);
            }
            ("restart", _) => {
                self.restart.insert(on_path()?);
            }
            ("unit", [unit, state]) => {
                let state = match *state {
                    "enabled" => UnitState::Enabled,
                    "disabled" => UnitState::Disabled,
                    "masked" => UnitState::Masked,
                    other => return Err(format!("{other:?} is not a unit's state")),
                };
                self.units.insert(UnitName::parse(unit)?, state);
            }
            ("own-unit", [unit, state, sha256]) => {
                let enabled = match *state {
                    "enabled" => true,
                    "static" => false,
                    other => return Err(format!("{other:?} is not an own unit's state")),
                };
                self.own_units.insert(UnitName::parse(unit)?, OwnUnit { enabled, sha256: sha256.to_string() });
            }
            ("account", [name, at]) => {
                self.accounts.insert(AccountName::parse(name)?, path(at)?);
            }
            ("setup", [sha256]) => self.setup = Some(sha256.to_string()),
            _ => return Err(format!("{kind:?} is not a record, or it has another number of fields")),
        }
        Ok(())
    }
}

fn ownership(mode: &str, owner: &str, group: &str) -> Result<Ownership, String> {
    let bits = u32::from_str_radix(mode, 8).ok().filter(|bits| *bits <= 0o7777);
    Ok(Ownership {
        mode: bits.ok_or_else(|| format!("{mode:?} is not a mode"))?,
        owner: AccountName::parse(owner)?,
        group: AccountName::parse(group)?,
    })
}

impl fmt::Display for MachineManifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "debrole-manifest {FORMAT}\npackage {}", self.package)?;
        for (path, file) in &self.files {
            writeln!(f, "{} {path} {} {}", file.kind.as_str(), file.ownership, file.sha256)?;
        }
        for (path, target) in &self.links {
            writeln!(f, "link {path} {target}")?;
        }
        for (path, ownership) in &self.directories {
            writeln!(f, "dir {path} {ownership}")?;
        }
        for path in &self.absent {
            writeln!(f, "absent {path}")?;
        }
        for path in &self.host_bound {
            writeln!(f, "host-bound {path}")?;
        }
        for path in &self.host_bound_secrets {
            writeln!(f, "host-bound-secret {path}")?;
        }
        for (path, package) in &self.adopted {
            writeln!(f, "adopt {path} {package}")?;
        }
        for path in &self.exclusive {
            writeln!(f, "exclusive {path}")?;
        }
        for (path, commands) in &self.validate {
            for command in commands {
                writeln!(f, "validate {path} {command}")?;
            }
        }
        for (path, unit) in &self.reload {
            writeln!(f, "reload {path} {unit}")?;
        }
        for (path, unit) in &self.restart {
            writeln!(f, "restart {path} {unit}")?;
        }
        for (unit, state) in &self.units {
            writeln!(f, "unit {unit} {}", state.as_str())?;
        }
        for (unit, own) in &self.own_units {
            let state = if own.enabled { "enabled" } else { "static" };
            writeln!(f, "own-unit {unit} {state} {}", own.sha256)?;
        }
        for (name, path) in &self.accounts {
            writeln!(f, "account {name} {path}")?;
        }
        if let Some(sha256) = &self.setup {
            writeln!(f, "setup {sha256}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let text = "\
debrole-manifest 1
package pg-role-web
file /etc/a 0644 root root aa
file /etc/b 2750 www-data adm bb
initial /etc/c 0644 root root cc
divert /etc/d 0644 root root dd
link /etc/l ../a target with spaces
dir /srv/www 0755 root root
absent /etc/nginx/sites-enabled/default
host-bound /etc/h
host-bound-secret /run/pg-secrets/web/login
adopt /etc/a postfix
exclusive /srv/www
validate /etc/a nginx -t
validate /etc/a sh -c 'second after first'
reload /etc/a nginx.service
restart /etc/b varnish.service
unit nginx.service enabled
unit postfix.service masked
own-unit pg-job.service static cc
own-unit pg-job.timer enabled dd
account git /usr/lib/sysusers.d/pg-role-git.conf
setup ee
";
        let manifest = MachineManifest::parse(text).unwrap();
        assert_eq!(manifest.to_string(), text);
        assert_eq!(manifest.files[&MachinePath::parse("/etc/b").unwrap()].ownership.mode, 0o2750);
    }

    #[test]
    fn a_broken_manifest_is_refused_with_its_line() {
        let head = "debrole-manifest 1\npackage pg-role-web\n";
        for (line, part) in [
            ("file /etc/a 0644 root root", "number of fields"),
            ("file /etc/a 9999 root root aa", "not a mode"),
            ("file etc/a 0644 root root aa", "absolute"),
            ("unit nginx.service up", "state"),
            ("own-unit x.service masked aa", "state"),
            ("nonsense /etc/a", "not a record"),
            ("reload /etc/a", "two fields"),
        ] {
            let error = MachineManifest::parse(&format!("{head}{line}\n")).unwrap_err();
            assert!(error.starts_with("line 3: ") && error.contains(part), "{line}: {error}");
        }
        assert!(MachineManifest::parse("debrole-manifest 2\npackage pg-role-web\n").is_err());
        assert!(MachineManifest::parse("debrole-manifest 1\n").is_err());
    }
}
