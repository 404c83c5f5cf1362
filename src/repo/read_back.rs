//! Reading back what was written, before it is committed: from the signed Release to every file that it lists.

use super::generation::Generation;
use super::manifest::PackageRecord;
use super::{Repository, repair, store};
use crate::diagnostics::{Diagnostic, rules};
use crate::sign::Signer;
use crate::sign::verify::Gpgv;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

impl Repository<'_> {
    /// Reads back what was written, as a client would: from the signed Release to every file that it lists.
    pub(super) fn verify(
        &self,
        generation: &Generation,
        new: &BTreeSet<String>,
        signer: &dyn Signer,
    ) -> Result<(), Vec<Diagnostic>> {
        // gpgv's processes and our own threads share the processors.
        let (mut wrong, signatures) =
            rayon::join(|| self.verify_files(generation, new), || self.verify_signatures(generation, signer));
        wrong.extend(signatures);
        if wrong.is_empty() {
            return Ok(());
        }
        let mut diagnostic = Diagnostic::new(
            &rules::verification_failed::RULE,
            format!("the new generation was not written as it should be: {}", wrong[0]),
        )
        .help("build again; if it happens twice, check the machine's memory and disk");
        for each in wrong.iter().skip(1).take(8) {
            diagnostic = diagnostic.note(each.clone());
        }
        Err(vec![diagnostic])
    }

    /// What is wrong with the files of a generation.
    fn verify_files(&self, generation: &Generation, new: &BTreeSet<String>) -> Vec<String> {
        let root = self.root();
        let top = generation.directory(root);
        let mut wrong: Vec<String> = Vec::new();
        let records: BTreeMap<&str, &PackageRecord> =
            generation.manifest.packages.iter().map(|record| (record.filename.as_str(), record)).collect();
        wrong.par_extend(new.par_iter().filter_map(|filename| {
            let Some(record) = records.get(filename.as_str()) else {
                return Some(format!("{filename} is new, but in no record"));
            };
            differs(&root.join(filename), record.size, &record.sha256)
        }));
        if let Err(damage) = repair::check_pool(root, &generation.manifest, |_| false) {
            wrong.push(damage.message);
        }
        for suite in &generation.suites {
            let directory = top.join(suite.codename.as_str());
            for (name, bytes) in
                [("Release", &suite.release), ("InRelease", &suite.in_release), ("Release.gpg", &suite.release_gpg)]
            {
                wrong.extend(differs(&directory.join(name), bytes.len() as u64, &store::sha256(bytes)));
            }
            let text = std::fs::read_to_string(directory.join("Release")).unwrap_or_default();
            for (hash, size, path) in listed(&text) {
                wrong.extend(differs(&directory.join(path), size, hash));
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                wrong.extend(differs(&directory.join(folder).join("by-hash/SHA256").join(hash), size, hash));
            }
        }
        wrong.extend(differs(
            &top.join("manifest.json"),
            generation.json.len() as u64,
            &store::sha256(&generation.json),
        ));

        wrong
    }

    /// What is wrong with its signatures.
    fn verify_signatures(&self, generation: &Generation, signer: &dyn Signer) -> Vec<String> {
        let top = generation.directory(self.root());
        let gpgv = match signer.public_keys().map(|keys| Gpgv::find(&keys)) {
            Err(e) => return vec![e.message],
            Ok(Err(e)) => return vec![format!("the keyring for gpgv: {e}")],
            Ok(Ok(None)) => return Vec::new(),
            Ok(Ok(Some(gpgv))) => gpgv,
        };
        let mut checks = vec![(top.join("manifest.json.asc"), Some(top.join("manifest.json")))];
        for suite in &generation.suites {
            let directory = top.join(suite.codename.as_str());
            checks.push((directory.join("InRelease"), None));
            checks.push((directory.join("Release.gpg"), Some(directory.join("Release"))));
        }
        let wrong = checks.par_iter().filter_map(|(signature, file)| {
            gpgv.check(signature, file.as_deref()).err().map(|e| format!("{}: {e}", signature.display()))
        });
        wrong.collect()
    }
}

/// What is wrong with a file that should have this size and hash.
fn differs(path: &Path, size: u64, sha256: &str) -> Option<String> {
    match store::sha256_of_file(path) {
        Err(e) => Some(format!("{}: {e}", path.display())),
        Ok((length, hash)) if length != size || hash != sha256 => {
            Some(format!("{} reads back differently", path.display()))
        }
        Ok(_) => None,
    }
}

/// The files that a Release lists: hash, size, path.
pub(super) fn listed(release: &str) -> impl Iterator<Item = (&str, u64, &str)> {
    release.lines().skip_while(|line| *line != "SHA256:").skip(1).map_while(|line| {
        let mut words = line.strip_prefix(' ')?.split_ascii_whitespace();
        Some((words.next()?, words.next()?.parse().ok()?, words.next()?))
    })
}
