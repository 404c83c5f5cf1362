//! Generations: each publish is a directory of its own, and `dists` names the current one.

use super::manifest::{FORMAT, Manifest};
use super::{damaged_manifest, repair, store};
use crate::diagnostics::{Diagnostic, rules};
use crate::names::Codename;
use crate::plan::PackageKind;
use crate::sign::verify;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The symlink whose rename(2) is the commit.
pub const DISTS: &str = "dists";
pub const GENERATIONS: &str = "generations";

/// Where a generation is, below the root: also what `dists` points to.
pub fn path(number: u64) -> String {
    format!("{GENERATIONS}/{number}")
}

/// The number of the current generation; None before the first commit.
fn current(root: &Path) -> Result<Option<u64>, Diagnostic> {
    repair::refuse_no_directory(root)?;
    let dists = root.join(DISTS);
    match std::fs::symlink_metadata(&dists) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(store::failed("read", &dists, &e)),
        Ok(_) => {}
    }
    let target = std::fs::read_link(&dists).ok();
    let number = target.as_deref().and_then(Path::to_str).and_then(|t| t.strip_prefix("generations/")?.parse().ok());
    number.map(Some).ok_or_else(|| {
        Diagnostic::new(
            &rules::not_our_repository::RULE,
            format!("{} is not the symlink to a generation that debrole makes", dists.display()),
        )
        .help("name an empty or new output directory with --out")
    })
}

/// The manifest of the current generation; None before the first commit. With `keys` it must be signed by one of them.
pub fn head(root: &Path, keys: Option<&[u8]>) -> Result<Option<Manifest>, Vec<Diagnostic>> {
    let Some(number) = current(root).map_err(|d| vec![d])? else { return Ok(None) };
    let file = root.join(path(number)).join("manifest.json");
    let bytes = std::fs::read(&file).map_err(|e| vec![damaged_manifest(&file, &e.to_string())])?;
    // gpgv reads it while we do: a build in which nothing changed takes no longer for it.
    let (trusted, parsed) = rayon::join(|| keys.map_or(Ok(()), |keys| trust(&file, keys)), || parse(&bytes, &file));
    trusted.map_err(|d| vec![d])?;
    let manifest = parsed.map_err(|d| vec![d])?;
    if manifest.generation != number {
        return Err(vec![damaged_manifest(&file, &format!("it is that of generation {}", manifest.generation))]);
    }
    Ok(Some(manifest))
}

/// That the manifest is signed by one of the keys.
fn trust(file: &Path, keys: &[u8]) -> Result<(), Diagnostic> {
    verify::file(keys, &file.with_extension("json.asc"), Some(file)).map_err(|e| {
        Diagnostic::new(
            &rules::published_untrusted::RULE,
            format!("the manifest {} can't be trusted: {}", file.display(), e.message),
        )
        .help(
            "put the output directory back from a backup, or build into an empty one: it is filled from the public URI",
        )
        .help(
            "if it is whole and signed by a key that you had before, keep that key in keys/ (*.gpg) beside the new one",
        )
    })
}

/// Reads a manifest, of a format that we know.
pub fn parse(bytes: &[u8], file: &Path) -> Result<Manifest, Diagnostic> {
    #[derive(serde::Deserialize)]
    struct Format {
        format: u32,
    }
    match serde_json::from_slice(bytes) {
        Ok(manifest @ Manifest { format: FORMAT, .. }) => Ok(manifest),
        result => {
            if let Ok(Format { format }) = serde_json::from_slice(bytes)
                && format > FORMAT
            {
                return Err(Diagnostic::new(
                    &rules::manifest_too_new::RULE,
                    format!("{} has format {format}; this debrole knows formats up to {FORMAT}", file.display()),
                )
                .help("use a debrole that is at least as new as the one that published"));
            }
            Err(damaged_manifest(file, &result.err().map_or("an unknown format".into(), |e| e.to_string())))
        }
    }
}

/// One suite, signed.
#[derive(Debug, Clone)]
pub struct SignedSuite {
    pub codename: Codename,
    pub release: Vec<u8>,
    pub in_release: Vec<u8>,
    pub release_gpg: Vec<u8>,
}

/// A generation in memory, ready to be written.
#[derive(Debug, Clone)]
pub struct Generation {
    pub manifest: Manifest,
    pub suites: Vec<SignedSuite>,
    /// The manifest as it is signed.
    pub json: Vec<u8>,
    /// Its detached signature, armored.
    pub signature: Vec<u8>,
}

impl Generation {
    pub fn directory(&self, root: &Path) -> PathBuf {
        root.join(path(self.manifest.generation))
    }

    /// Bytes and number of the files that [`write`](Self::write) makes, directories and symlinks counted as files.
    pub fn size(&self) -> (u64, u64) {
        let suites: usize =
            self.suites.iter().map(|s| s.release.len() + s.in_release.len() + s.release_gpg.len()).sum();
        let entries: usize = self.manifest.suites.values().map(|files| 2 * files.len() + 4).sum();
        ((suites + self.json.len() + self.signature.len()) as u64, entries as u64 + 8)
    }

    /// Writes the directory. The index files themselves are in the store by their hash; here are symlinks to them.
    /// Files get the generation's date as their time, so that Last-Modified increases from one to the next.
    pub fn write(&self, root: &Path) -> Result<(), Diagnostic> {
        let date = self.manifest.date;
        let top = self.directory(root);
        store::directory(&root.join(GENERATIONS))?;
        store::directory(&top)?;
        for suite in &self.suites {
            let directory = top.join(suite.codename.as_str());
            store::directory(&directory)?;
            store::create(&directory.join("Release"), &suite.release, date)?;
            store::create(&directory.join("Release.gpg"), &suite.release_gpg, date)?;
            store::create(&directory.join("InRelease"), &suite.in_release, date)?;
            let mut last_folder = "";
            for (file, hash) in &self.manifest.suites[&suite.codename] {
                let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
                let place = directory.join(folder);
                if folder != last_folder {
                    store::directory(&place)?;
                    // From generations/N/<suite>/<folder> up to the root.
                    let up = "../".repeat(3 + folder.split('/').count());
                    store::symlink(&format!("{up}by-hash"), &place.join("by-hash"))?;
                    last_folder = folder;
                }
                store::symlink(&format!("by-hash/SHA256/{}", hash.sha256), &place.join(name))?;
            }
        }
        for (link, filename) in keyring_links(&self.manifest) {
            store::symlink(&format!("../../{filename}"), &top.join(link))?;
        }
        store::create(&top.join("manifest.json"), &self.json, date)?;
        store::create(&top.join("manifest.json.asc"), &self.signature, date)
    }

    /// Makes the stable names of the keyring packages at the root. They resolve through `dists`, so they can be there
    /// before the commit.
    pub fn link(&self, root: &Path) -> Result<(), Diagnostic> {
        for (link, _) in keyring_links(&self.manifest) {
            let target = format!("{DISTS}/{link}");
            if std::fs::read_link(root.join(&link)).ok().as_deref() != Some(Path::new(&target)) {
                store::point(root, &link, &target)?;
            }
        }
        Ok(())
    }
}

/// The stable names for joining: `pg-archive-keyring-bookworm.deb` → the file of the pool.
pub fn keyring_links(manifest: &Manifest) -> Vec<(String, &str)> {
    let keyrings = manifest.packages.iter().filter(|record| record.kind == PackageKind::Keyring);
    let mut links: Vec<(String, &str)> = keyrings
        .flat_map(|record| {
            record
                .releases
                .iter()
                .map(move |release| (format!("{}-{release}.deb", record.name), record.filename.as_str()))
        })
        .collect();
    links.sort();
    links
}
