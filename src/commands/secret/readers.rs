//! Who can decrypt a secret: the keys of administrators and machines that it is encrypted to, and those that debrole
//! decrypts with here.

use super::super::load::Places;
use crate::cli::Identities;
use anyhow::anyhow;
use debrole::age::{self, Recipient};
use debrole::exec::Command;
use debrole::lower::secret::{Need, administrators, machine_key, needs};
use debrole::model::Model;
use debrole::names::{HostName, SecretName};
use debrole::plan::PackagePlan;
use debrole::ssh_key::PublicKey;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Somebody may have to type a passphrase, or to touch nothing for a while.
const PATIENCE: Duration = Duration::from_secs(600);

/// The private keys to decrypt with.
pub(super) struct Keys(Vec<PathBuf>);

impl Keys {
    pub(super) fn of(identities: &Identities) -> Keys {
        match identities.identities.is_empty() {
            true => Keys::usual(),
            false => Keys(identities.identities.clone()),
        }
    }

    /// Those that are named in the environment, else the user's own.
    pub(super) fn usual() -> Keys {
        if let Some(named) = std::env::var_os("DEBROLE_IDENTITY") {
            return Keys(vec![named.into()]);
        }
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let files = ["id_ed25519", "id_rsa"].map(|name| home.join(".ssh").join(name));
        Keys(files.into_iter().filter(|file| file.is_file()).collect())
    }

    /// `asking`: whether somebody may be asked for a key's passphrase, which age does on the terminal.
    pub(super) fn decrypt(&self, file: &Path, asking: bool) -> Result<Vec<u8>, String> {
        if self.0.is_empty() {
            return Err("there is no key to decrypt with: name one with --identity".into());
        }
        // In a session of its own, age has no terminal to ask on.
        let command = if asking { Command::new("age") } else { Command::new("setsid").args(["-w", "age"]) };
        let keys = self.0.iter().flat_map(|key| [Path::new("-i"), key.as_path()]);
        let output = command.arg("-d").args(keys).arg(file).limit(PATIENCE).run();
        match output {
            Ok(output) if output.success() => Ok(output.stdout),
            Ok(output) => Err(output.stderr_text().lines().next().unwrap_or("age failed").to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Those to whom a secret is to be encrypted.
pub(super) struct Readers<'a> {
    pub(super) keys: Vec<&'a PublicKey>,
    pub(super) machines: Vec<&'a HostName>,
    /// Machines that need it and have no key.
    pub(super) without: Vec<&'a HostName>,
    pub(super) people: usize,
}

/// By age(1), to the readers and nobody else.
pub(super) fn encrypted(plaintext: &[u8], readers: &Readers<'_>) -> anyhow::Result<Vec<u8>> {
    let keys = readers.keys.iter().flat_map(|key| ["-r".to_owned(), key.to_string()]);
    let output = Command::new("age").args(keys).input(plaintext).run_ok()?;
    let wanted: BTreeSet<Recipient> = readers.keys.iter().filter_map(|key| Recipient::of(key)).collect();
    let made = age::recipients(&output.stdout).map_err(|error| anyhow!("age made something else: {error}"))?;
    if made.into_iter().collect::<BTreeSet<_>>() != wanted {
        return Err(anyhow!("age encrypted to others than it was told"));
    }
    Ok(output.stdout)
}

/// Those to whom a secret is to be encrypted; None where no administrator would be among them.
pub(super) fn readers<'a>(
    model: &'a Model,
    needs: &BTreeMap<SecretName, Need<'a>>,
    name: &SecretName,
) -> Option<Readers<'a>> {
    let people = administrators(model);
    if people.is_empty() {
        return None;
    }
    let mut readers = Readers { people: people.len(), keys: Vec::new(), machines: Vec::new(), without: Vec::new() };
    readers.keys.extend(people.into_iter().map(|(_, key)| key));
    for (fqdn, host) in needs.get(name).into_iter().flat_map(|need| &need.machines) {
        match machine_key(host) {
            Some(key) => {
                readers.machines.push(fqdn);
                readers.keys.push(key);
            }
            None => readers.without.push(fqdn),
        }
    }
    Some(readers)
}

pub(super) fn is_current(model: &Model, name: &SecretName, readers: &Readers<'_>) -> bool {
    let wanted: BTreeSet<Recipient> = readers.keys.iter().filter_map(|key| Recipient::of(key)).collect();
    let file = model.secrets.files.get(name);
    file.is_some_and(|file| file.recipients.iter().cloned().collect::<BTreeSet<_>>() == wanted)
}

/// What a machine needs of the secrets and can't decrypt with the key that it has in this model, encrypted anew and not
/// written: by the user's own keys, and without asking anybody. The error is a sentence.
pub fn encrypted_anew(
    places: &Places,
    model: &Model,
    plans: &[PackagePlan],
    host: &HostName,
) -> Result<Vec<(SecretName, Vec<u8>)>, String> {
    let needs = needs(model, plans);
    let mut anew = Vec::new();
    for (name, need) in &needs {
        if !model.secrets.files.contains_key(name) || !need.machines.contains_key(host) {
            continue;
        }
        let Some(readers) = readers(model, &needs, name) else { continue };
        if is_current(model, name, &readers) {
            continue;
        }
        let path = places.root.join("secrets").join(format!("{name}.age"));
        let plaintext = Keys::usual().decrypt(&path, false).map_err(|why| {
            format!(
                "secrets/{name}.age has to be encrypted to the machine's new host key, and can't be decrypted here: {why} \
                 (DEBROLE_IDENTITY names an administrator's key)"
            )
        })?;
        let bytes = encrypted(&plaintext, &readers).map_err(|error| format!("secrets/{name}.age: {error:#}"))?;
        anew.push((name.clone(), bytes));
    }
    Ok(anew)
}
