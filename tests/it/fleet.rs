//! Small package sets to publish, without the compiler's front.

use debrole::deb;
use debrole::diagnostics::Diagnostic;
use debrole::names::{Architecture, Codename, MachinePath, PackageName};
use debrole::plan::{DebContent, Entry, PackageKind};
use debrole::repo::manifest::PackageRecord;
use debrole::repo::publish::{Now, Publication, Published, Settings};
use debrole::repo::store::sha256;
use debrole::repo::{Event, Open, Repository};
use debrole::sign::Signer;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub fn silent(_: Event) {}

pub fn codename(name: &str) -> Codename {
    Codename::parse(name).unwrap()
}

/// A .deb of one text file, and its record.
pub fn package(
    name: &str,
    version: &str,
    releases: &[&str],
    kind: PackageKind,
    text: &str,
) -> (PackageRecord, Vec<u8>) {
    let name = PackageName::parse(name).unwrap();
    let path = MachinePath::parse(&format!("/usr/share/{name}/text")).unwrap();
    let content = DebContent {
        summary: format!("test package {name}"),
        description: "A package for tests.\n\nIt holds one file.".into(),
        homepage: None,
        relations: BTreeMap::new(),
        fields: &[],
        entries: [(path, Entry::File { mode: 0o644, bytes: text.as_bytes().into() })].into(),
        scripts: BTreeMap::new(),
    };
    let package = deb::Package { name: &name, maintainer: "Example <root@example.org>", content: &content };
    let content_hash = sha256(text.as_bytes());
    let made = package
        .write(&deb::Stamp {
            version,
            content_hash: &content_hash,
            moved_from: &[],
            changelog: &format!(
                "{name} ({version}) unstable; urgency=medium\n\n  * New.\n\n -- Example <root@example.org>  \
                 Mon, 26 Oct 2026 07:33:20 +0000\n"
            ),
            copyright: "Whatever.\n",
            time: 1_700_000_000,
        })
        .unwrap();
    let record = PackageRecord {
        filename: format!("pool/{name}/{name}_{}_all.deb", version.replace('+', ".")),
        name,
        version: version.into(),
        architecture: "all".into(),
        kind,
        releases: releases.iter().map(|r| codename(r)).collect(),
        size: made.bytes.len() as u64,
        sha256: sha256(&made.bytes),
        content: content_hash,
        control: made.control,
        in_place: Vec::new(),
    };
    (record, made.bytes)
}

/// A package set that grows and changes step by step: step N differs from step N-1 in one package.
pub fn package_set(step: u32, roles: u32) -> Vec<(PackageRecord, Vec<u8>)> {
    let both = ["bookworm", "trixie"];
    let mut set = vec![
        package("pg-archive-keyring", "20261101.1+deb12", &["bookworm"], PackageKind::Keyring, "key"),
        package("pg-archive-keyring", "20261101.1+deb13", &["trixie"], PackageKind::Keyring, "key"),
    ];
    for role in 0..roles {
        // The role whose turn it was last has the step's version.
        let changed = (0..=step).rev().find(|s| s % roles == role && *s > 0).unwrap_or(0);
        let name = format!("pg-role-r{role}");
        set.push(package(
            &name,
            &format!("20261101.{}", changed + 1),
            &both,
            PackageKind::Role,
            &format!("step {changed}"),
        ));
    }
    set
}

pub fn settings() -> Settings {
    Settings {
        origin: "Example Project".into(),
        label: "Example fleet".into(),
        suites: [codename("bookworm"), codename("trixie")].into(),
        architectures: [Architecture::parse("amd64").unwrap()].into(),
        valid_for: 10 * 86_400,
    }
}

/// What publishes this set; only files that are not in the output's pool yet are handed over as new.
pub fn publication<'a>(out: &Path, set: Vec<(PackageRecord, Vec<u8>)>, signer: &'a dyn Signer, now: Now) -> Wanted<'a> {
    let mut highest: BTreeMap<PackageName, String> = BTreeMap::new();
    for (record, _) in &set {
        let version = highest.entry(record.name.clone()).or_default();
        *version = record.version.clone().max(std::mem::take(version));
    }
    let new: BTreeMap<_, _> = set
        .iter()
        .filter(|(record, _)| !out.join(&record.filename).exists())
        .map(|(record, bytes)| (record.filename.clone(), bytes.clone()))
        .collect();
    let packages = set.into_iter().map(|(record, _)| record).collect();
    let settings = settings();
    let publication =
        Publication { packages, new: BTreeSet::new(), highest, settings, signer, now, refresh: false, gate: None };
    Wanted { publication, new }
}

/// A publication, and the files that it adds to the pool.
pub struct Wanted<'a> {
    pub publication: Publication<'a>,
    pub new: BTreeMap<String, Vec<u8>>,
}

impl Wanted<'_> {
    pub fn publish(mut self, repository: &mut Repository<'_>) -> Result<Published, Vec<Diagnostic>> {
        if !self.new.is_empty() {
            let staging = repository.begin(&self.publication.settings, self.publication.now)?;
            let put = self.new.iter().try_for_each(|(filename, bytes)| staging.put(filename, bytes));
            self.publication.new = staging.finish();
            if let Err(error) = put {
                let _ = repository.abandon();
                return Err(vec![error]);
            }
        }
        repository.publish(self.publication)
    }
}

pub fn open(out: &Path) -> Repository<'static> {
    Repository::open(out, Open { keys: None, wait: false, events: &silent }).unwrap()
}

/// Opens, publishes the set, closes.
pub fn publish(out: &Path, set: Vec<(PackageRecord, Vec<u8>)>, signer: &dyn Signer, now: Now) -> Published {
    let mut repository = open(out);
    let publication = publication(out, set, signer, now);
    publication.publish(&mut repository).unwrap_or_else(|errors| panic!("not published: {errors:#?}"))
}

/// Every path below a directory with what a backup would compare: kind, mode, size, modification time, contents or
/// target.
pub fn snapshot(root: &Path) -> BTreeMap<String, String> {
    use std::os::unix::fs::MetadataExt;
    fn walk(root: &Path, directory: &Path, found: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            let content = if meta.is_symlink() {
                path.read_link().unwrap().display().to_string()
            } else if meta.is_file() {
                sha256(&std::fs::read(&path).unwrap())
            } else {
                walk(root, &path, found);
                String::new()
            };
            let line = format!("{:o} {} {}.{} {content}", meta.mode(), meta.size(), meta.mtime(), meta.mtime_nsec());
            found.insert(path.strip_prefix(root).unwrap().display().to_string(), line);
        }
    }
    let mut found = BTreeMap::new();
    walk(root, root, &mut found);
    found
}

/// The directories in which gpg-agents work that have the keys of this home: the home itself, or one of a debrole's own.
pub fn agents(home: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words: Vec<&str> = command.split(|b| *b == 0).filter_map(|word| std::str::from_utf8(word).ok()).collect();
        let Some(place) = words.iter().position(|word| *word == "--homedir").and_then(|at| words.get(at + 1)) else {
            continue;
        };
        let place = Path::new(place);
        let is_of =
            place == home || std::fs::read_link(place.join("private-keys-v1.d")).is_ok_and(|l| l.starts_with(home));
        if words[0].ends_with("gpg-agent") && is_of {
            found.push(place.to_owned());
        }
    }
    found
}

/// Whether a gpg-agent works in this directory.
pub fn has_agent(place: &Path) -> bool {
    let command = format!("--homedir\0{}\0", place.display());
    let commands = std::fs::read_dir("/proc").unwrap().flatten();
    commands.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok()).any(|said| {
        let said = String::from_utf8_lossy(&said);
        let program = said.split('\0').next().unwrap_or_default();
        Path::new(program).file_name().is_some_and(|name| name == "gpg-agent") && said.contains(&command)
    })
}

/// Waits until it is so, for longer than a machine under load takes.
pub fn wait_until(so: impl Fn() -> bool) {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !so() {
        assert!(std::time::Instant::now() < until, "it did not come to it");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
