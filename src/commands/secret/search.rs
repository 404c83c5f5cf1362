//! The search for the plaintext of secrets where it must not be: the tree, packages, the repository, debrole's caches.

use super::super::load::Places;
use super::count;
use super::readers::Keys;
use debrole::archive;
use debrole::diagnostics::Diagnostic;
use debrole::leak::{self, Needles};
use debrole::model::Model;
use debrole::names::SecretName;
use std::path::Path;

/// The search for the plaintext of secrets in what a build makes.
#[derive(Default)]
pub struct Search {
    pub(super) needles: Needles,
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
    pub(super) fn everywhere(&self, places: &Places) -> leak::Outcome {
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
