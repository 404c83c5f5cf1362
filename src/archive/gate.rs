//! The gate that is apt itself: a staged generation is put before real clients, as it will look from outside, before
//! the commit makes it visible.
//!
//! For each suite and architecture, in a private apt root with apt's own defaults and nothing of the host:
//! 1. The suite's keyring package is unpacked as a machine would unpack it; its source, its preferences and its key
//!    are what apt uses, with the address replaced by that of the staged tree.
//! 2. gpgv, and sqv where it is installed, accept InRelease (and Release.gpg) with that key.
//! 3. `apt-get -q=0 update` succeeds without a `W:`, `E:` or `N:`.
//! 4. apt's candidate of every package is the version that the manifest says.
//! 5. Every file of the pool that the suite lists is there, with its size and hash.
//! 6. apt's solver installs every package on top of the release's own lists, where those are in the cache.

use super::root::{HostSettings, Root, complaints};
use super::solve::{self, Index, Stance};
use super::{Lists, Options, Target, Unavailable};
use crate::diagnostics::{Diagnostic, rules};
use crate::exec::{Command, ExecError};
use crate::model::Release;
use crate::names::{Architecture, Codename};
use crate::plan::PackageKind;
use crate::repo::gate::{Gate, GateReport, StagedTree};
use crate::repo::manifest::PackageRecord;
use crate::scratch::Scratch;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// How many names one run of `apt-cache policy` is asked for.
const NAMES_AT_ONCE: usize = 8000;

/// apt as a [`Gate`].
#[derive(Debug, Clone)]
pub struct AptGate {
    releases: Vec<Release>,
    options: Options,
}

impl AptGate {
    /// `releases` say which Debian lists a suite's packages are installed on top of; those lists are used as they
    /// are in the cache, never fetched.
    pub fn new(releases: &[Release], options: Options) -> Self {
        AptGate { releases: releases.to_vec(), options: Options { lists: Lists::AsTheyAre, ..options } }
    }
}

/// Why a part of the gate came to nothing.
enum Stop {
    /// The generation is wrong.
    Refused(Vec<Diagnostic>),
    /// It can't be told.
    Skipped(String),
}

impl From<Diagnostic> for Stop {
    fn from(diagnostic: Diagnostic) -> Self {
        Stop::Refused(vec![diagnostic])
    }
}

impl From<Unavailable> for Stop {
    fn from(unavailable: Unavailable) -> Self {
        Stop::Skipped(unavailable.message)
    }
}

impl From<ExecError> for Stop {
    fn from(error: ExecError) -> Self {
        match error {
            ExecError::NotInstalled { .. } => Stop::Skipped(error.to_string()),
            _ => refused(error.to_string()).into(),
        }
    }
}

fn refused(message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(&rules::gate_refused::RULE, message)
        .help("nothing was published: machines still see the generation before this one")
}

/// Something went wrong with the gate's own files.
fn own_files(error: std::io::Error) -> Stop {
    refused(format!("the gate can't write to {}: {error}", std::env::temp_dir().display())).into()
}

impl Gate for AptGate {
    fn accept(&self, staged: &StagedTree<'_>) -> Result<GateReport, Vec<Diagnostic>> {
        let started = Instant::now();
        let mut report = GateReport::default();
        let mut errors = Vec::new();
        let mut take = |result: Result<Vec<String>, Stop>, what: &str| match result {
            Ok(checked) => report.checked.extend(checked),
            Err(Stop::Refused(found)) => errors.extend(found),
            Err(Stop::Skipped(reason)) => report.skipped.push(format!("{what}: {reason}")),
        };
        take(pool(staged), "the pool");
        match View::new(staged) {
            Err(error) => take(Err(own_files(error)), "apt"),
            Ok(view) => {
                let pairs: Vec<(&Codename, &Architecture)> = staged
                    .manifest
                    .suites
                    .keys()
                    .flat_map(|suite| staged.manifest.architectures.iter().map(move |a| (suite, a)))
                    .collect();
                let results: Vec<_> = pairs
                    .par_iter()
                    .map(|(suite, architecture)| {
                        let client = || self.client(staged, &view, suite, architecture);
                        rayon::join(client, || self.solve(staged, suite, architecture))
                    })
                    .collect();
                for ((suite, architecture), (client, solved)) in pairs.iter().zip(results) {
                    take(client, &format!("apt-get update of {suite} on {architecture}"));
                    take(solved, &format!("installing every package of {suite} on {architecture}"));
                }
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        report.elapsed = started.elapsed();
        Ok(report)
    }
}

impl AptGate {
    /// What a machine does that has installed the keyring package: points 1 to 4.
    fn client(
        &self,
        staged: &StagedTree<'_>,
        view: &View,
        suite: &Codename,
        architecture: &Architecture,
    ) -> Result<Vec<String>, Stop> {
        let directory = Scratch::new().map_err(own_files)?;
        let joined = Joined::unpack(staged, suite, view, directory.path())?;
        let mut checked = joined.signatures(staged, suite)?;

        let root = Root::create(&directory.path().join("apt"), architecture, &joined.sources, HostSettings::Ignored)?;
        for (name, text) in &joined.preferences {
            root.write(&format!("etc/preferences.d/{name}"), text)?;
        }
        let output = root.update()?;
        let said = complaints(&output);
        if !said.is_empty() || !output.success() {
            let mut diagnostic = refused(format!("apt-get update does not accept {suite} on {architecture} as it is"));
            for line in said {
                diagnostic = diagnostic.note(line);
            }
            return Err(diagnostic.into());
        }
        checked.push(format!("apt-get update of {suite} on {architecture}"));

        let records = listed(staged, suite, architecture);
        let expected = newest(&records);
        let candidates = candidates(&root, &expected.keys().copied().collect::<Vec<_>>())?;
        let wrong: Vec<Diagnostic> = expected
            .iter()
            .filter(|(name, version)| candidates.get(**name).map(String::as_str) != Some(version))
            .map(|(name, version)| match candidates.get(*name) {
                Some(other) => refused(format!("apt would install {name} {other} on {suite}, not {version}")),
                None => refused(format!("apt does not see {name} {version} on {suite}")),
            })
            .collect();
        if !wrong.is_empty() {
            return Err(Stop::Refused(wrong));
        }
        checked.push(format!("apt sees all {} packages of {suite} on {architecture}", expected.len()));
        Ok(checked)
    }

    /// Point 6.
    fn solve(
        &self,
        staged: &StagedTree<'_>,
        suite: &Codename,
        architecture: &Architecture,
    ) -> Result<Vec<String>, Stop> {
        let Some(release) = self.releases.iter().find(|release| release.codename.value == *suite) else {
            return Err(Stop::Skipped(format!("debrole.toml has no [release.{suite}]")));
        };
        let target = Target::prepare(release, architecture, &self.options)?;
        let path = staged.dists.join(suite.as_str()).join(format!("main/binary-{architecture}/Packages"));
        let text = fs::read_to_string(&path).map_err(|e| refused(format!("can't read {}: {e}", path.display())))?;
        let records = listed(staged, suite, architecture);
        let expected = newest(&records);
        let kinds: BTreeMap<&str, PackageKind> = records.iter().map(|r| (r.name.as_str(), r.kind)).collect();
        let text = without_host_conflicts(&text, &kinds);
        let index = Index::write(&text)?;
        let mut failed = BTreeMap::new();
        for set in solve::without_conflicts(&stances(&text, &expected)) {
            let refused_here = solve::refused(&target.root, &[index.path()], &set);
            failed.extend(refused_here.map_err(|e| refused(format!("packages of {suite}: {e}")))?);
        }
        if failed.is_empty() {
            return Ok(vec![format!("apt's solver installs each of {} packages of {suite}", expected.len())]);
        }
        let failed = failed.into_iter().map(|(name, refusal)| {
            Diagnostic::new(
                &rules::uninstallable::RULE,
                format!("{name} {} would not install on {suite}: apt finds no solution", expected[name]),
            )
            .help("`debrole check --archive` shows the line that causes it")
            .help("nothing was published: machines still see the generation before this one")
            .note(format!("apt says:\n{}", refusal.lines.join("\n")))
        });
        Err(Stop::Refused(failed.collect()))
    }
}

/// The records that a suite lists for an architecture. Tombstones are in it, to be seen like any other.
fn listed<'a>(staged: &StagedTree<'a>, suite: &Codename, architecture: &Architecture) -> Vec<&'a PackageRecord> {
    staged
        .manifest
        .packages
        .iter()
        .filter(|r| r.releases.contains(suite))
        .filter(|r| r.architecture == "all" || r.architecture == architecture.as_str())
        .collect()
}

/// The highest version of each name: what apt installs.
fn newest<'a>(records: &[&'a PackageRecord]) -> BTreeMap<&'a str, &'a str> {
    let mut newest: BTreeMap<&str, (Option<debversion::Version>, &str)> = BTreeMap::new();
    for record in records {
        let version = (record.version.parse().ok(), record.version.as_str());
        let highest = newest.entry(record.name.as_str()).or_insert_with(|| version.clone());
        if version.0 > highest.0 {
            *highest = version;
        }
    }
    newest.into_iter().map(|(name, (_, version))| (name, version)).collect()
}

/// The versions that apt would install, by name (`apt-cache policy`, which obeys the preferences).
fn candidates(root: &Root, names: &[&str]) -> Result<BTreeMap<String, String>, ExecError> {
    let mut candidates = BTreeMap::new();
    for names in names.chunks(NAMES_AT_ONCE) {
        let output = root.apt("apt-cache").arg("policy").args(names).run_ok()?.stdout_text();
        let mut current = None;
        for line in output.lines() {
            if let Some(name) = line.strip_suffix(':').filter(|name| !name.starts_with(' ')) {
                current = Some(name.to_owned());
            } else if let Some(version) = line.strip_prefix("  Candidate: ")
                && version != "(none)"
                && let Some(name) = current.take()
            {
                candidates.insert(name, version.to_owned());
            }
        }
    }
    Ok(candidates)
}

/// Point 5: every file that the manifest lists.
fn pool(staged: &StagedTree<'_>) -> Result<Vec<String>, Stop> {
    let wrong: Vec<Diagnostic> = staged
        .manifest
        .packages
        .par_iter()
        .filter_map(|record| {
            let path = staged.root.join(&record.filename);
            let problem = match fs::read(&path) {
                Err(error) => error.to_string(),
                Ok(bytes) if bytes.len() as u64 != record.size => {
                    format!("it has {} bytes instead of {}", bytes.len(), record.size)
                }
                Ok(bytes) if base16ct::lower::encode_string(&Sha256::digest(&bytes)) != record.sha256 => {
                    "it has other content than was published under this name".into()
                }
                Ok(_) => return None,
            };
            Some(
                refused(format!("{} can't be fetched: {problem}", record.filename))
                    .help("put the file back from a copy, or change the package so that it is built anew"),
            )
        })
        .collect();
    match wrong.is_empty() {
        true => Ok(vec![format!("{} files of the pool", staged.manifest.packages.len())]),
        false => Err(Stop::Refused(wrong)),
    }
}

/// The repository as it will look after the commit: symlinks to what is there, and `dists` to the staged generation.
struct View {
    directory: Scratch,
}

impl View {
    fn new(staged: &StagedTree<'_>) -> std::io::Result<Self> {
        let directory = Scratch::new()?;
        let root = std::path::absolute(staged.root)?;
        for entry in fs::read_dir(&root)? {
            let name = entry?.file_name();
            if name != "dists" {
                symlink(root.join(&name), directory.path().join(&name))?;
            }
        }
        symlink(std::path::absolute(staged.dists)?, directory.path().join("dists"))?;
        Ok(View { directory })
    }
    /// `copy:` rather than `file:`: like over the network, apt takes the compressed indexes by their hash and keeps
    /// lists of its own.
    fn uri(&self) -> String {
        format!("copy:{}", self.directory.path().display())
    }
}

/// What the keyring package brings to a machine.
struct Joined {
    /// The text of its source, with the address and the key's path replaced.
    sources: String,
    keyring: PathBuf,
    preferences: Vec<(String, String)>,
}

impl Joined {
    fn unpack(staged: &StagedTree<'_>, suite: &Codename, view: &View, directory: &Path) -> Result<Self, Stop> {
        let package = staged
            .manifest
            .packages
            .iter()
            .find(|record| record.kind == PackageKind::Keyring && record.releases.contains(suite))
            .ok_or_else(|| refused(format!("{suite} has no keyring package, so no machine could join")))?;
        let machine = directory.join("machine");
        let archive = staged.root.join(&package.filename);
        match Command::new("dpkg-deb").arg("-x").arg(&archive).arg(&machine).run_ok() {
            Ok(_) => {}
            Err(error @ ExecError::NotInstalled { .. }) => return Err(error.into()),
            Err(error) => return Err(refused(format!("{} can't be unpacked: {error}", package.filename)).into()),
        }
        let sources = files(&machine, "etc/apt/sources.list.d")?;
        let [(_, text)] = &sources[..] else {
            return Err(refused(format!(
                "{} {} brings {} files in /etc/apt/sources.list.d instead of one",
                package.name,
                package.version,
                sources.len()
            ))
            .into());
        };
        let mut keyring = None;
        let mut sources = String::new();
        for line in text.lines() {
            if line.starts_with("URIs: ") {
                sources.push_str(&format!("URIs: {}\n", view.uri()));
            } else if let Some(path) = line.strip_prefix("Signed-By: /") {
                let path = machine.join(path);
                sources.push_str(&format!("Signed-By: {}\n", path.display()));
                keyring = Some(path);
            } else {
                sources.push_str(&format!("{line}\n"));
            }
        }
        let keyring = keyring.filter(|path| path.is_file()).ok_or_else(|| {
            refused(format!("{} {} names no key that it holds in Signed-By", package.name, package.version))
        })?;
        Ok(Joined { sources, keyring, preferences: files(&machine, "etc/apt/preferences.d")? })
    }

    /// Point 2.
    fn signatures(&self, staged: &StagedTree<'_>, suite: &Codename) -> Result<Vec<String>, Stop> {
        let at = |name: &str| staged.dists.join(suite.as_str()).join(name);
        let gpgv = |arguments: &[PathBuf]| Command::new("gpgv").arg("--keyring").arg(&self.keyring).args(arguments);
        let sqv = Command::new("sqv").arg("--keyring").arg(&self.keyring).args([at("Release.gpg"), at("Release")]);
        let mut checked = Vec::new();
        for (command, what) in [
            (gpgv(&[at("InRelease")]), "gpgv accepts InRelease"),
            (gpgv(&[at("Release.gpg"), at("Release")]), "gpgv accepts Release.gpg"),
            (sqv, "sqv accepts Release.gpg"),
        ] {
            match command.run_ok() {
                Ok(_) => checked.push(format!("{what} of {suite}")),
                // sqv is trixie's, gpgv everybody's but apt 3's: apt itself uses the one that is there.
                Err(ExecError::NotInstalled { .. }) => {}
                Err(error) => {
                    return Err(refused(format!("the signature of {suite} is not good: {error}")).into());
                }
            }
        }
        Ok(checked)
    }
}

/// The texts of a directory's files, sorted by name; symlinks lead within the unpacked package.
fn files(machine: &Path, directory: &str) -> Result<Vec<(String, String)>, Stop> {
    let mut files = Vec::new();
    let Ok(entries) = fs::read_dir(machine.join(directory)) else { return Ok(files) };
    for entry in entries {
        let entry = entry.map_err(own_files)?;
        let path = match fs::read_link(entry.path()) {
            Ok(target) => match target.strip_prefix("/") {
                Ok(inside) => machine.join(inside),
                Err(_) => entry.path(),
            },
            Err(_) => entry.path(),
        };
        let name = entry.file_name().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path)
            .map_err(|e| refused(format!("/{directory}/{name} of the keyring package can't be read: {e}")))?;
        files.push((name, text));
    }
    files.sort();
    Ok(files)
}

/// The index with the host packages' exclusion of each other taken out (see [`solve`]): hosts are then installed
/// together.
fn without_host_conflicts(text: &str, kinds: &BTreeMap<&str, PackageKind>) -> String {
    let mut result = String::with_capacity(text.len());
    for stanza in text.split_inclusive("\n\n") {
        let field = |name: &str| stanza.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("");
        if kinds.get(field("Package: ")) != Some(&PackageKind::Host) {
            result.push_str(stanza);
            continue;
        }
        let provides: Vec<&str> = field("Provides: ").split(", ").collect();
        for line in stanza.split_inclusive('\n') {
            match line.strip_prefix("Conflicts: ") {
                None => result.push_str(line),
                Some(conflicts) => {
                    let kept: Vec<&str> =
                        conflicts.trim_end().split(", ").filter(|name| !provides.contains(name)).collect();
                    if !kept.is_empty() {
                        result.push_str(&format!("Conflicts: {}\n", kept.join(", ")));
                    }
                }
            }
        }
    }
    result
}

/// What the packages of an index say of each other.
fn stances<'a>(text: &'a str, expected: &BTreeMap<&'a str, &'a str>) -> BTreeMap<&'a str, Stance<'a>> {
    let mut stances: BTreeMap<&str, Stance<'_>> = expected.keys().map(|name| (*name, Stance::default())).collect();
    for stanza in text.split("\n\n") {
        let field = |name: &str| stanza.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("");
        let names = |value: &'a str| {
            let end = |entry: &'a str| entry.trim().split([' ', ':', '(']).next().unwrap_or("");
            value.split(',').map(end).filter(|name| !name.is_empty())
        };
        if let Some(stance) = stances.get_mut(field("Package: ")) {
            stance.provides.extend(names(field("Provides: ")));
            stance.against.extend(names(field("Conflicts: ")).chain(names(field("Breaks: "))));
        }
    }
    stances
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_lose_their_exclusion_and_nothing_else() {
        let text = "Package: pg-host-a\nProvides: pg-host\nConflicts: pg-host, apache2\nDepends: x\n\n\
            Package: pg-role-b\nProvides: mta\nConflicts: mta\n\nPackage: pg-host-c\nProvides: pg-host\nConflicts: pg-host\n\n";
        let kinds = BTreeMap::from([
            ("pg-host-a", PackageKind::Host),
            ("pg-role-b", PackageKind::Role),
            ("pg-host-c", PackageKind::Host),
        ]);
        assert_eq!(
            without_host_conflicts(text, &kinds),
            "Package: pg-host-a\nProvides: pg-host\nConflicts: apache2\nDepends: x\n\n\
             Package: pg-role-b\nProvides: mta\nConflicts: mta\n\nPackage: pg-host-c\nProvides: pg-host\n\n"
        );
    }

    #[test]
    fn names_are_read_from_relation_fields() {
        let text = "Package: a\nProvides: x (= 1), y\nBreaks: b (<< 2), c:any\n\nPackage: other\n";
        let expected = BTreeMap::from([("a", "1")]);
        let stances = stances(text, &expected);
        assert_eq!(
            (stances["a"].provides.as_slice(), stances["a"].against.as_slice()),
            (&["x", "y"][..], &["b", "c"][..])
        );
    }
}
