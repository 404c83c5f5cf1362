//! Small package sets to publish, without the compiler's front: real .debs, made with the `ar` and `tar` crates.

use debrole::names::{Architecture, Codename, PackageName};
use debrole::plan::PackageKind;
use debrole::repo::manifest::PackageRecord;
use debrole::repo::publish::{Now, Publication, Published, Settings};
use debrole::repo::store::sha256;
use debrole::repo::{Event, Open, Repository};
use debrole::sign::Signer;
use std::collections::BTreeMap;
use std::path::Path;

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
    let control = format!(
        "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Example <root@example.org>\nSection: admin\n\
         Priority: optional\nDescription: test package {name}\n A package for tests.\n .\n It holds one file."
    );
    let tarball = |files: &[(&str, &[u8])]| {
        let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6)));
        for (path, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            header.set_mtime(1_700_000_000);
            header.set_cksum();
            builder.append_data(&mut header, path, *bytes).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    };
    let mut archive = ar::Builder::new(Vec::new());
    for (member, bytes) in [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar.gz", tarball(&[("control", format!("{control}\n").as_bytes())])),
        ("data.tar.gz", tarball(&[(&format!("usr/share/doc/{name}/text"), text.as_bytes())])),
    ] {
        let mut header = ar::Header::new(member.as_bytes().to_vec(), bytes.len() as u64);
        header.set_mode(0o100644);
        header.set_mtime(1_700_000_000);
        archive.append(&header, bytes.as_slice()).unwrap();
    }
    let bytes = archive.into_inner().unwrap();
    let filename = format!("pool/{name}/{name}_{}_all.deb", version.replace('+', "."));
    let record = PackageRecord {
        name: PackageName::parse(name).unwrap(),
        version: version.into(),
        architecture: "all".into(),
        kind,
        releases: releases.iter().map(|r| codename(r)).collect(),
        filename,
        size: bytes.len() as u64,
        sha256: sha256(&bytes),
        content: sha256(text.as_bytes()),
        control,
        in_place: Vec::new(),
    };
    (record, bytes)
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
pub fn publication<'a>(
    out: &Path,
    set: Vec<(PackageRecord, Vec<u8>)>,
    signer: &'a dyn Signer,
    now: Now,
) -> Publication<'a> {
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
    Publication { packages, new, highest, settings: settings(), signer, now, refresh: false, gate: None }
}

pub fn open(out: &Path) -> Repository<'static> {
    Repository::open(out, Open { wait: false, events: &silent }).unwrap()
}

/// Opens, publishes the set, closes.
pub fn publish(out: &Path, set: Vec<(PackageRecord, Vec<u8>)>, signer: &dyn Signer, now: Now) -> Published {
    let mut repository = open(out);
    let publication = publication(out, set, signer, now);
    repository.publish(publication).unwrap_or_else(|errors| panic!("not published: {errors:#?}"))
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
