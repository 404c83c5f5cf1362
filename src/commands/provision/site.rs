//! What all commands about machines begin with: the tree, what this machine knows, and whose it is.

use super::guard::{self, OurHands};
use super::places::Whereabouts;
use crate::cli::{self, Global};
use crate::commands::load::{self, Loaded, Places};
use crate::commands::{Failure, Outcome, build, check, key};
use crate::reporter::Reporter;
use anyhow::anyhow;
use debrole::deb::sha256;
use debrole::model::{Host, Model};
use debrole::near::nearest;
use debrole::provision::record::{self, Fleet, Lock, Record, State};
use debrole::provision::undo::{self, Act};
use std::path::{Path, PathBuf};

pub struct Site<'a> {
    pub places: Places,
    pub state: State,
    pub fleet: Fleet,
    /// What hypervisors call the fleet.
    pub owner: String,
    pub global: &'a Global,
    pub reporter: &'a Reporter,
}

impl<'a> Site<'a> {
    /// With the tree as it is now, which has no errors.
    pub fn open(
        stores: &cli::Stores,
        global: &'a Global,
        reporter: &'a Reporter,
    ) -> Result<(Site<'a>, Loaded), Failure> {
        let mut places = load::places(global, reporter)?;
        // What is written down is for whoever comes later, from wherever.
        places.root = std::path::absolute(&places.root)?;
        places.out = std::path::absolute(&places.out)?;
        let loaded = tree(&places, reporter)?;
        let Some(model) = &loaded.model else { return Err(Failure::Wrong) };
        let mut keys: Vec<String> = Vec::new();
        for entry in std::fs::read_dir(places.root.join("keys")).into_iter().flatten().flatten() {
            if entry.path().extension().is_some_and(|e| e == "gpg") {
                keys.extend(std::fs::read(entry.path()).ok().map(|bytes| sha256(&bytes)));
            }
        }
        keys.sort();
        let fleet = Fleet { origin: model.fleet.origin.clone(), tree: std::fs::canonicalize(&places.root)?, keys };
        let owner = format!("{} ({})", model.fleet.origin, model.fleet.uri.value);
        let site = Site { state: state(stores), places, fleet, owner, global, reporter };
        Ok((site, loaded))
    }

    pub fn refuse<T>(&self, why: impl AsRef<str>) -> Result<T, Failure> {
        self.reporter.refusal(why.as_ref());
        Err(Failure::Wrong)
    }

    pub fn hands(&self) -> OurHands<'_> {
        OurHands { state: &self.state, global: self.global }
    }

    /// Takes the machine for this command, whatever one before it has left.
    pub fn take(&self, name: &str, what: &str) -> Result<Lock, Failure> {
        match self.state.lock(name, what) {
            Ok(lock) => Ok(lock),
            Err(fault @ record::Fault::Busy { .. }) => self.refuse(fault.to_string()),
            Err(fault) => Err(anyhow!(fault).into()),
        }
    }

    /// Takes the machine for this command, and takes back what one before it has left.
    pub fn lock(&self, name: &str, what: &str) -> Result<Lock, Failure> {
        let lock = self.take(name, what)?;
        guard::recovered(name, &self.state, &self.hands(), self.reporter)?;
        Ok(lock)
    }

    /// What is known of the machine, if it is of this fleet.
    pub fn record(&self, name: &str) -> Result<Option<Record>, Failure> {
        let record = self.state.record(name).map_err(anyhow::Error::new)?;
        match record {
            Some(record) if !record.fleet.is(&self.fleet) => self.refuse(format!(
                "{name} is a machine of another fleet here ({} in {}): give one of them another name, or keep this \
                 fleet's machines elsewhere (--state)",
                record.fleet.origin,
                record.fleet.tree.display()
            )),
            record => Ok(record),
        }
    }

    /// Where a machine is: by its record, else by the journal of a run that left it.
    pub fn whereabouts(&self, name: &str) -> Result<Whereabouts, Failure> {
        if let Some(record) = self.record(name)? {
            return Ok(Whereabouts::of(&record.place, &self.state));
        }
        let acts = match undo::read(&self.state.journal(name)).map_err(anyhow::Error::new)? {
            Some((_, acts)) => acts,
            None => Vec::new(),
        };
        match acts.into_iter().rev().find_map(|act| if let Act::Put { place, .. } = act { Some(place) } else { None }) {
            Some(place) => Ok(Whereabouts::of(&place, &self.state)),
            None => {
                let all = self.state.records().map_err(anyhow::Error::new)?;
                let names: Vec<&str> = all.iter().map(|listed| listed.name.as_str()).collect();
                let help = match nearest(name, names.iter().copied()) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("make it with `debrole provision {name}`"),
                };
                self.refuse(format!("no machine {} was made from here: {help}", name.escape_debug()))
            }
        }
    }

    /// Publishes the tree as it is, telling only what is wrong.
    pub fn publish(&self, publishing: &cli::Publishing) -> Outcome {
        let args = cli::Build {
            refresh: false,
            no_gate: publishing.no_gate,
            first_publish: publishing.first_publish,
            wait: true,
            time: None,
            future: false,
            archive_cache: publishing.archive_cache.clone(),
        };
        if self.reporter.is_json() {
            return build::publish(&args, &self.places, &[], self.reporter);
        }
        let quiet = Reporter::new(&Global { quiet: true, ..self.global.clone() });
        build::publish(&args, &self.places, &[], &quiet)
    }
}

/// `--state DIR`, else the usual one.
pub fn state(stores: &cli::Stores) -> State {
    let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let usual = || State::usual(is_root(), path("XDG_STATE_HOME"), path("HOME"));
    let directory = stores.state.clone().unwrap_or_else(usual);
    State::new(std::path::absolute(&directory).unwrap_or(directory))
}

/// Where base trees are.
pub fn base_cache(asked: Option<&Path>) -> PathBuf {
    if let Some(directory) = asked {
        return directory.to_owned();
    }
    let path = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    match (is_root(), path("XDG_CACHE_HOME"), path("HOME")) {
        (false, Some(cache), _) => cache.join("debrole/base"),
        (false, None, Some(home)) => home.join(".cache/debrole/base"),
        _ => PathBuf::from("/var/cache/debrole/base"),
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The tree as it is; errors end the command.
pub fn tree(places: &Places, reporter: &Reporter) -> Result<Loaded, Failure> {
    let mut loaded = load::load(places);
    let keyring = key::public(places).unwrap_or_else(|_| check::placeholder_keyring());
    load::lower(&mut loaded, &keyring, key::now());
    loaded.diagnostics.retain(|diagnostic| diagnostic.is_error());
    loaded.report(reporter)?;
    Ok(loaded)
}

/// A machine of the tree.
pub fn host<'m>(model: &'m Model, name: &str, reporter: &Reporter) -> Result<&'m Host, Failure> {
    if let Some(host) = model.hosts.values().find(|host| host.name.value.as_str() == name) {
        return Ok(host);
    }
    let help = match nearest(name, model.hosts.keys().map(|name| name.as_str())) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("write hosts/{name}.toml, with [vm]"),
    };
    reporter.refusal(&format!("there is no machine {} in the tree: {help}", name.escape_debug()));
    Err(Failure::Wrong)
}
