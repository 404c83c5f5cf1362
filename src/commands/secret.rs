//! `debrole secret …`: secrets are encrypted and decrypted by age(1), and written nowhere but encrypted.

mod readers;
mod search;

pub use readers::encrypted_anew;
pub use search::Search;

use self::readers::{Keys, Readers, encrypted, is_current, readers};
use super::load::{self, Loaded, Places};
use super::signals::{SIGINT, before_the_end};
use super::{Failure, Outcome, check, key};
use crate::cli::{Global, Secret};
use crate::reporter::Reporter;
use anyhow::{Context, anyhow};
use debrole::leak;
use debrole::lower::secret::{Need, needs};
use debrole::model::Model;
use debrole::names::{HostName, SecretName};
use debrole::scratch::{self, Scratch};
use debrole::tree::Tree;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{IsTerminal, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The largest secret, in bytes.
const LARGEST: usize = 64 << 10;
pub fn run(command: &Secret, global: &Global, reporter: &Reporter) -> Outcome {
    let places = load::places(global, reporter)?;
    let mut read = Tree::read(&places.root);
    // What is there of a secret that is set says nothing: it may be damaged, and is written anew for that.
    if let (Secret::Set { name }, Some(secrets)) = (command, &mut read.0.secrets)
        && let Ok(name) = SecretName::parse(name)
    {
        secrets.remove(&name);
    }
    let mut loaded = load::understood(read);
    let plans = load::lower(&mut loaded, &check::placeholder_keyring(), key::now());
    let Some(model) = &loaded.model else { return loaded.report(reporter) };
    // What an edit that was killed has left there can be read.
    if let Some(memory) = memory() {
        scratch::clear(&memory);
    }
    let fleet = Fleet { places: &places, loaded: &loaded, model, needs: needs(model, &plans), reporter };
    match command {
        Secret::Set { name } => fleet.set(&fleet.name(name)?),
        Secret::Edit { name, identities } => fleet.edit(&fleet.name(name)?, &Keys::of(identities)),
        Secret::List => fleet.list(),
        Secret::Rekey { names, all, identities } => fleet.rekey(names, *all, &Keys::of(identities)),
    }
}

struct Fleet<'a> {
    places: &'a Places,
    loaded: &'a Loaded,
    model: &'a Model,
    needs: BTreeMap<SecretName, Need<'a>>,
    reporter: &'a Reporter,
}

impl<'a> Fleet<'a> {
    fn refuse(&self, why: &str) -> Failure {
        self.reporter.refusal(why);
        Failure::Wrong
    }

    fn name(&self, text: &str) -> Result<SecretName, Failure> {
        SecretName::parse(text)
            .map_err(|error| self.refuse(&format!("\"{}\" can't name a secret: {error}", text.escape_debug())))
    }

    fn path(&self, name: &SecretName) -> PathBuf {
        self.places.root.join("secrets").join(format!("{name}.age"))
    }

    fn readers(&self, name: &SecretName) -> Result<Readers<'a>, Failure> {
        readers(self.model, &self.needs, name).ok_or_else(|| {
            self.refuse(
                "no administrator could decrypt it: name who can in debrole.toml, [secrets] with groups or recipients",
            )
        })
    }

    fn set(&self, name: &SecretName) -> Outcome {
        let readers = self.readers(name)?;
        let mut plaintext = Vec::new();
        {
            let _unseen = match std::io::stdin().is_terminal() {
                true => {
                    self.reporter.note(format_args!("Type the secret {name}, then Enter and Ctrl-D; it is not shown:"));
                    before_the_end(
                        |_| true,
                        |signal| {
                            Unseen::echo("echo");
                            std::process::exit(128 + signal);
                        },
                    )?;
                    Some(Unseen::new())
                }
                false => None,
            };
            std::io::stdin()
                .take(LARGEST as u64 + 1)
                .read_to_end(&mut plaintext)
                .context("can't read standard input")?;
        }
        let plaintext = self.acceptable(trimmed(plaintext))?;
        self.write(name, &plaintext, &readers, None)
    }

    fn acceptable(&self, plaintext: Vec<u8>) -> Result<Vec<u8>, Failure> {
        if plaintext.is_empty() {
            return Err(self.refuse("the secret is empty: it is read from standard input"));
        }
        if plaintext.len() > LARGEST {
            return Err(self.refuse(&format!("a secret has at most {} KiB", LARGEST >> 10)));
        }
        Ok(plaintext)
    }

    fn edit(&self, name: &SecretName, keys: &Keys) -> Outcome {
        let readers = self.readers(name)?;
        let Opened { plaintext: before, file: encrypted } = self.decrypted(name, keys)?;
        let memory = memory().ok_or_else(|| {
            anyhow!("there is no directory in memory to edit it in: neither $XDG_RUNTIME_DIR nor /dev/shm is a tmpfs")
        })?;
        let room = || format!("can't write to {}, where it is edited", memory.display());
        let directory = Scratch::below(&memory).with_context(room)?;
        let gone = directory.path().to_owned();
        // What is typed on the terminal is the editor's; a terminal that is closed ends both.
        before_the_end(
            |signal| signal != SIGINT,
            move |signal| {
                let _ = fs::remove_dir_all(&gone);
                std::process::exit(128 + signal);
            },
        )?;
        let file = directory.path().join(name.as_str());
        let mut new = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file).with_context(room)?;
        new.write_all(&before).with_context(room)?;
        drop(new);
        let editor = ["VISUAL", "EDITOR"].iter().find_map(|name| std::env::var(name).ok().filter(|e| !e.is_empty()));
        let editor = editor.unwrap_or_else(|| "editor".to_owned());
        let status = std::process::Command::new("/bin/sh")
            .args(["-c", &format!("{editor} \"$1\""), "sh"])
            .arg(&file)
            .status()
            .context("can't start the editor")?;
        let after = fs::read(&file);
        if !status.success() {
            return Err(self.refuse(&format!("the editor \"{editor}\" failed: nothing was changed")));
        }
        let after = self.acceptable(trimmed(after.context("the editor left no file")?))?;
        drop(directory);
        if after == before {
            self.reporter.summary("nothing was changed");
            return Ok(());
        }
        self.write(name, &after, &readers, Some(&encrypted))
    }

    fn decrypted(&self, name: &SecretName, keys: &Keys) -> Result<Opened, Failure> {
        let path = self.path(name);
        if !path.is_file() {
            return Err(self.refuse(&format!("there is no secrets/{name}.age: debrole secret set {name} makes it")));
        }
        let file = fs::read(&path).with_context(|| format!("can't read secrets/{name}.age"))?;
        let plaintext = keys.decrypt(&path, true).map_err(|why| anyhow!("can't decrypt secrets/{name}.age: {why}"))?;
        Ok(Opened { plaintext, file })
    }

    fn rekey(&self, names: &[String], all: bool, keys: &Keys) -> Outcome {
        let files = &self.model.secrets.files;
        let mut chosen = Vec::new();
        for name in names {
            chosen.push(self.name(name)?);
        }
        if names.is_empty() {
            for name in files.keys() {
                if all || !self.is_current(name)? {
                    chosen.push(name.clone());
                }
            }
        }
        if chosen.is_empty() {
            self.reporter.summary("each secret is encrypted to those who need it");
        }
        // All or none: who can't decrypt one is to know before half of them are other files.
        let mut opened = Vec::new();
        for name in &chosen {
            opened.push((name, self.readers(name)?, self.decrypted(name, keys)?));
        }
        for (name, readers, Opened { plaintext, file }) in opened {
            self.write(name, &plaintext, &readers, Some(&file))?;
        }
        Ok(())
    }

    /// Whether it is encrypted to those who need it, and to nobody else.
    fn is_current(&self, name: &SecretName) -> Result<bool, Failure> {
        Ok(is_current(self.model, name, &self.readers(name)?))
    }

    /// Encrypts, looks whether the plaintext is anywhere where it must not be, and writes. `before`: the file that the
    /// plaintext comes from; what somebody else has written meanwhile stays.
    fn write(&self, name: &SecretName, plaintext: &[u8], readers: &Readers<'_>, before: Option<&[u8]>) -> Outcome {
        let mut search = Search::default();
        search.needles.add(name, plaintext);
        let outcome = search.everywhere(self.places);
        let leaks = outcome.diagnostics();
        if !leaks.is_empty() {
            self.reporter.diagnostics(&leaks, &self.loaded.tree.sources);
            return Err(self.refuse(&format!("secrets/{name}.age was not written")));
        }
        let bytes = encrypted(plaintext, readers)?;
        let path = self.path(name);
        let directory = path.parent().unwrap_or(&self.places.root);
        fs::create_dir_all(directory).with_context(|| format!("can't make {}", directory.display()))?;
        self.replace(directory, &path, &bytes, before).map_err(|failure| match failure {
            Replaced::Meanwhile => self.refuse(&format!(
                "secrets/{name}.age was written by somebody else meanwhile: nothing was changed, run it again"
            )),
            Replaced::Failed(error) => anyhow!(error).context(format!("can't write {}", path.display())).into(),
        })?;

        self.reporter.summary(format_args!(
            "secrets/{name}.age: encrypted to {} and {} of administrators",
            machines(&readers.machines),
            count(readers.people, "key")
        ));
        if !self.needs.contains_key(name) {
            self.reporter.note(format_args!("Nothing uses it yet; once something does: debrole secret rekey {name}"));
        }
        for host in &readers.without {
            self.reporter.note(format_args!("{host} needs it and has no Ed25519 ssh_host_key in hosts/{host}.toml"));
        }
        match search.needles.is_empty() {
            true => self.reporter.summary(format_args!(
                "  not run: the search for its plaintext: it has fewer than {} bytes",
                leak::SHORTEST
            )),
            false => self.reporter.summary(format_args!("  its plaintext is in none of {} files", outcome.files)),
        }
        for closed in &outcome.closed {
            self.reporter.summary(format_args!("  not searched: {closed}"));
        }
        Ok(())
    }

    /// The whole file or the old one, and one who writes at a time.
    fn replace(&self, directory: &Path, path: &Path, bytes: &[u8], before: Option<&[u8]>) -> Result<(), Replaced> {
        let folder = fs::File::open(directory)?;
        folder.lock()?;
        if before.is_some_and(|before| fs::read(path).is_ok_and(|now| now != before)) {
            return Err(Replaced::Meanwhile);
        }
        // Nobody else writes now: these are of those who were killed.
        for entry in fs::read_dir(directory)?.flatten() {
            if entry.file_name().as_encoded_bytes().starts_with(BEGUN.as_bytes()) {
                fs::remove_file(entry.path())?;
            }
        }
        let mut file = tempfile::Builder::new()
            .prefix(BEGUN)
            .permissions(fs::Permissions::from_mode(0o644))
            .tempfile_in(directory)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        folder.sync_all()?;
        Ok(())
    }

    fn list(&self) -> Outcome {
        let files = &self.model.secrets.files;
        let names: BTreeSet<&SecretName> = files.keys().chain(self.needs.keys()).collect();
        let mut rows = Vec::new();
        for name in names {
            let need = self.needs.get(name);
            let packages: Vec<String> =
                need.into_iter().flat_map(|need| &need.packages).map(ToString::to_string).collect();
            let hosts: Vec<&HostName> = need.into_iter().flat_map(|need| need.machines.keys().copied()).collect();
            let state = match files.get(name) {
                None => "not set",
                Some(_) if need.is_none() => "unused",
                Some(_) if self.is_current(name)? => "current",
                Some(_) => "to be encrypted anew (debrole secret rekey)",
            };
            self.reporter.result(format_args!(
                "{name}: {state}; used by {}, on {}",
                if packages.is_empty() { "nothing".to_owned() } else { packages.join(", ") },
                machines(&hosts)
            ));
            rows.push(json!({ "name": name, "state": state, "packages": packages, "machines": hosts }));
        }
        self.reporter.member("secrets", rows);
        Ok(())
    }
}

/// A secret as it was found: decrypted, and the file that it was in.
struct Opened {
    plaintext: Vec<u8>,
    file: Vec<u8>,
}

/// Why a file was not replaced.
enum Replaced {
    /// It is another one than that which was read.
    Meanwhile,
    Failed(std::io::Error),
}

impl From<std::io::Error> for Replaced {
    fn from(error: std::io::Error) -> Replaced {
        Replaced::Failed(error)
    }
}

/// What the names of files begin with that are not whole yet.
const BEGUN: &str = ".secret-";

/// While it lives, the terminal does not show what is typed.
struct Unseen;

impl Unseen {
    fn new() -> Unseen {
        Unseen::echo("-echo");
        Unseen
    }

    /// Where stty(1) can't, the secret is seen; it is read all the same.
    fn echo(setting: &str) {
        let _ = std::process::Command::new("stty").arg(setting).status();
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        Unseen::echo("echo");
    }
}

/// A single line is meant without its end; a key in a PEM file, with it.
fn trimmed(mut plaintext: Vec<u8>) -> Vec<u8> {
    if let Some(line) = plaintext.strip_suffix(b"\n")
        && !line.contains(&b'\n')
    {
        plaintext.truncate(line.strip_suffix(b"\r").unwrap_or(line).len());
    }
    plaintext
}

/// A directory that is in memory: what is written there meets no disk, unless the machine swaps.
pub fn memory() -> Option<PathBuf> {
    const TMPFS: i128 = 0x0102_1994;
    const RAMFS: i128 = 0x8584_58f6;
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    runtime.into_iter().chain([PathBuf::from("/dev/shm")]).find(|path| {
        let kind = rustix::fs::statfs(path).map(|stat| i128::from(stat.f_type) & 0xffff_ffff);
        kind.is_ok_and(|kind| kind == TMPFS || kind == RAMFS)
    })
}

fn machines(hosts: &[&HostName]) -> String {
    match hosts {
        [] => "no machine".to_owned(),
        [one] => one.to_string(),
        [one, two] => format!("{one} and {two}"),
        many => count(many.len(), "machine"),
    }
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_loses_its_end_and_lines_keep_theirs() {
        for (given, kept) in
            [("pw\n", "pw"), ("pw", "pw"), ("pw\r\n", "pw"), ("a\nb\n", "a\nb\n"), ("\n", ""), ("", "")]
        {
            assert_eq!(trimmed(given.into()), kept.as_bytes(), "{given:?}");
        }
    }
}
