//! `debrole secret …`: secrets are encrypted and decrypted by age(1), and written nowhere but encrypted. And the search
//! for their plaintext, here and in `debrole build`.

use super::load::{self, Loaded, Places};
use super::signals::{SIGINT, before_the_end};
use super::{Failure, Outcome, check, key};
use crate::cli::{Global, Identities, Secret};
use crate::reporter::Reporter;
use anyhow::{Context, anyhow};
use debrole::age::{self, Recipient};
use debrole::archive;
use debrole::diagnostics::Diagnostic;
use debrole::exec::Command;
use debrole::leak::{self, Needles};
use debrole::lower::secret::{Need, administrators, machine_key, needs};
use debrole::model::Model;
use debrole::names::{HostName, SecretName};
use debrole::plan::PackagePlan;
use debrole::scratch::{self, Scratch};
use debrole::ssh_key::PublicKey;
use debrole::tree::Tree;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{IsTerminal, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The largest secret, in bytes.
const LARGEST: usize = 64 << 10;
/// Somebody may have to type a passphrase, or to touch nothing for a while.
const PATIENCE: Duration = Duration::from_secs(600);

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

/// The private keys to decrypt with.
struct Keys(Vec<PathBuf>);

impl Keys {
    fn of(identities: &Identities) -> Keys {
        match identities.identities.is_empty() {
            true => Keys::usual(),
            false => Keys(identities.identities.clone()),
        }
    }

    /// Those that are named in the environment, else the user's own.
    fn usual() -> Keys {
        if let Some(named) = std::env::var_os("DEBROLE_IDENTITY") {
            return Keys(vec![named.into()]);
        }
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let files = ["id_ed25519", "id_rsa"].map(|name| home.join(".ssh").join(name));
        Keys(files.into_iter().filter(|file| file.is_file()).collect())
    }

    /// `asking`: whether somebody may be asked for a key's passphrase, which age does on the terminal.
    fn decrypt(&self, file: &Path, asking: bool) -> Result<Vec<u8>, String> {
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

struct Fleet<'a> {
    places: &'a Places,
    loaded: &'a Loaded,
    model: &'a Model,
    needs: BTreeMap<SecretName, Need<'a>>,
    reporter: &'a Reporter,
}

/// Those to whom a secret is to be encrypted.
struct Readers<'a> {
    keys: Vec<&'a PublicKey>,
    machines: Vec<&'a HostName>,
    /// Machines that need it and have no key.
    without: Vec<&'a HostName>,
    people: usize,
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

/// By age(1), to the readers and nobody else.
fn encrypted(plaintext: &[u8], readers: &Readers<'_>) -> anyhow::Result<Vec<u8>> {
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
fn readers<'a>(model: &'a Model, needs: &BTreeMap<SecretName, Need<'a>>, name: &SecretName) -> Option<Readers<'a>> {
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

fn is_current(model: &Model, name: &SecretName, readers: &Readers<'_>) -> bool {
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

/// The search for the plaintext of secrets in what a build makes.
#[derive(Default)]
pub struct Search {
    needles: Needles,
    /// Secrets that could not be decrypted here.
    closed: Vec<SecretName>,
    why: String,
}

impl Search {
    /// For all secrets that can be decrypted here without asking anybody.
    pub fn of(model: &Model, places: &Places) -> Search {
        let mut search = Search::default();
        let keys = Keys::usual();
        for name in model.secrets.files.keys() {
            match keys.decrypt(&places.root.join("secrets").join(format!("{name}.age")), false) {
                Ok(plaintext) => search.needles.add(name, &plaintext),
                Err(why) => {
                    search.closed.push(name.clone());
                    search.why = why;
                }
            }
        }
        search
    }

    /// What of the search is not done.
    pub fn not_run(&self) -> Vec<String> {
        let mut out = Vec::new();
        if !self.closed.is_empty() {
            let count = count(self.closed.len(), "secret");
            out.push(format!("the search for the plaintext of {count}: {} (DEBROLE_IDENTITY names a key)", self.why));
        }
        if !self.needles.short.is_empty() {
            let names: Vec<&str> = self.needles.short.iter().map(SecretName::as_str).collect();
            out.push(format!(
                "the search for the plaintext of {}: fewer than {} bytes",
                names.join(", "),
                leak::SHORTEST
            ));
        }
        out
    }

    /// The tree, without its repository.
    pub fn tree(&self, places: &Places) -> Result<(), Vec<Diagnostic>> {
        let mut outcome = leak::Outcome::default();
        self.in_tree(places, &mut outcome);
        verdict(&outcome)
    }

    fn in_tree(&self, places: &Places, outcome: &mut leak::Outcome) {
        if self.needles.is_empty() {
            return;
        }
        let leave = [places.root.join(".git"), places.root.join("keys"), places.out.clone()];
        // What other programs make and can make again says so (https://bford.info/cachedir/).
        let leave = |path: &Path| leave.iter().any(|p| p == path) || path.join("CACHEDIR.TAG").exists();
        self.needles.search_path(&places.root, Path::new(""), &leave, outcome);
    }

    /// A package, before it is published.
    pub fn package(&self, filename: &str, bytes: &[u8]) -> Result<(), Diagnostic> {
        if self.needles.is_empty() {
            return Ok(());
        }
        let mut outcome = leak::Outcome::default();
        self.needles.search(filename, bytes, &mut outcome);
        outcome.diagnostics().into_iter().next().map_or(Ok(()), Err)
    }

    /// What was published beside the packages: indexes, the manifest.
    pub fn repository(&self, places: &Places) -> Result<(), Vec<Diagnostic>> {
        let mut outcome = leak::Outcome::default();
        if !self.needles.is_empty() {
            let pool = places.out.join("pool");
            self.needles.search_path(&places.out, &places.out, &|path| path == pool, &mut outcome);
        }
        verdict(&outcome)
    }

    /// The tree, the repository with all packages, and debrole's caches.
    fn everywhere(&self, places: &Places) -> leak::Outcome {
        let mut outcome = leak::Outcome::default();
        if self.needles.is_empty() {
            return outcome;
        }
        self.in_tree(places, &mut outcome);
        let cache = archive::Options::new(archive::Lists::Refresh).cache;
        for directory in [&places.out, &cache] {
            self.needles.search_path(directory, directory, &|_| false, &mut outcome);
        }
        outcome
    }
}

fn verdict(outcome: &leak::Outcome) -> Result<(), Vec<Diagnostic>> {
    let leaks = outcome.diagnostics();
    if leaks.is_empty() { Ok(()) } else { Err(leaks) }
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
