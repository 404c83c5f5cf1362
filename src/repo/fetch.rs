//! Filling an empty output directory from what is published. A second checkout of the tree, or a machine whose disk
//! was lost, would otherwise give out versions again that machines have long had, with other contents. Everything is
//! verified: the manifest by its signature, every other file by the manifest.

use super::generation::{Generation, SignedSuite};
use super::manifest::{FileHash, Manifest};
use super::read_back::listed;
use super::{Event, Repository, generation, repair, store};
use crate::diagnostics::{Diagnostic, rules};
use crate::names::Codename;
use crate::sign::key;
use crate::sign::verify::Verifier;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Files that are fetched at the same time.
const PARALLEL: usize = 8;
/// A publish may happen while we read: then what we have is of two generations, and we begin again.
const ATTEMPTS: usize = 3;
/// No manifest is larger, whoever sent it. Bytes.
const LARGEST_MANIFEST: u64 = 1 << 30;

/// What was found at the URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The server answers, and there is no repository: this is the first publish.
    Nothing,
    /// The output directory now holds this generation.
    Generation { generation: u64, files: usize },
}

impl Repository<'_> {
    /// Fills an output directory in which nothing is published from `uri` (http, https or file). `keys` are the public
    /// keys that may have signed it, binary or armored; `suites` those that this tree would publish.
    ///
    /// # Errors
    /// `published-unreachable`, `published-foreign`, `published-untrusted`, `published-incomplete`, and those of
    /// writing.
    pub fn fill(&mut self, uri: &str, keys: &[u8], suites: &[Codename]) -> Result<Found, Vec<Diagnostic>> {
        let remote = Remote::new(uri);
        let mut last = Vec::new();
        for _ in 0..ATTEMPTS {
            match self.attempt(&remote, keys, suites) {
                Ok(found) => return Ok(found),
                Err(Attempt::Final(errors)) => {
                    let _ = self.forget();
                    return Err(errors);
                }
                Err(Attempt::Again(errors)) => last = errors,
            }
            let _ = self.forget();
        }
        Err(last)
    }

    /// Removes what an attempt has left.
    fn forget(&self) -> Result<(), Diagnostic> {
        if repair::is_unfinished(self.root()) {
            repair::repair(self.root(), self.head.as_ref())?;
        }
        Ok(())
    }

    fn attempt(&mut self, remote: &Remote, keys: &[u8], suites: &[Codename]) -> Result<Found, Attempt> {
        let Some(json) = remote.get("dists/manifest.json", LARGEST_MANIFEST)? else {
            for suite in suites {
                if remote.get(&format!("dists/{suite}/InRelease"), LARGEST_MANIFEST)?.is_some() {
                    return Err(Attempt::Final(vec![foreign(remote, suite)]));
                }
            }
            return Ok(Found::Nothing);
        };
        let signature = remote
            .get("dists/manifest.json.asc", LARGEST_MANIFEST)?
            .ok_or_else(|| Attempt::Final(vec![untrusted(remote, "dists/manifest.json has no signature beside it")]))?;
        let verifier = Verifier::new(keys).map_err(|e| Attempt::Final(vec![key::diagnostic(&e)]))?;
        verifier
            .detached(&signature, &json)
            .map_err(|e| Attempt::Again(vec![untrusted(remote, &e.message).help(e.help)]))?;
        let shown = PathBuf::from(remote.shown("dists/manifest.json"));
        let manifest = generation::parse(&json, &shown).map_err(|d| Attempt::Final(vec![d]))?;

        let mut signed = Vec::new();
        for (suite, files) in &manifest.suites {
            signed.push(fetch_suite(remote, &verifier, suite, files)?);
        }
        let wanted = wanted(&manifest);
        self.write_files(remote, &wanted, &manifest)?;
        let generation = Generation { manifest, suites: signed, json, signature };
        self.adopt(&generation).map_err(|d| Attempt::Final(vec![d]))?;
        let number = generation.manifest.generation;
        self.head = Some(generation.manifest);
        Ok(Found::Generation { generation: number, files: wanted.len() })
    }

    /// Fetches the pool and the index files, several at a time, and writes each as it comes.
    fn write_files(&self, remote: &Remote, wanted: &[Wanted], manifest: &Manifest) -> Result<(), Attempt> {
        let root = self.root();
        let bytes = wanted.iter().map(|file| file.hash.size).sum();
        let ready = || -> Result<(), Diagnostic> {
            store::check_space(&self.directory, root, bytes, 2 * wanted.len() as u64)?;
            repair::begin(root)?;
            store::directory(&root.join("pool"))?;
            store::directory(&root.join(store::BY_HASH))
        };
        ready().map_err(|d| Attempt::Final(vec![d]))?;

        let next = AtomicUsize::new(0);
        let done = AtomicUsize::new(0);
        let wrong: Mutex<Vec<String>> = Mutex::default();
        let failed: Mutex<Vec<Diagnostic>> = Mutex::default();
        let work = || {
            while let Some(file) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
                match file.fetch(remote, root, manifest.date) {
                    Ok(None) => {}
                    Ok(Some(problem)) => lock(&wrong).push(problem),
                    Err(diagnostic) => lock(&failed).push(diagnostic),
                }
                if !lock(&failed).is_empty() {
                    return;
                }
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                self.emit(Event::Fetching { done, total: wanted.len() });
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..PARALLEL.min(wanted.len()) {
                scope.spawn(work);
            }
        });
        let failed = lock(&failed).pop();
        if let Some(first) = failed {
            return Err(Attempt::Final(vec![first]));
        }
        let mut wrong = std::mem::take(&mut *lock(&wrong));
        wrong.sort();
        if wrong.is_empty() { Ok(()) } else { Err(Attempt::Again(vec![incomplete(remote, &wrong)])) }
    }

    /// Writes the generation's directory and commits it.
    fn adopt(&self, generation: &Generation) -> Result<(), Diagnostic> {
        let root = self.root();
        generation.write(root)?;
        generation.link(root)?;
        rustix::fs::syncfs(&self.directory).map_err(|e| store::failed("flush", root, &e.into()))?;
        store::point(root, generation::DISTS, &generation::path(generation.manifest.generation))?;
        rustix::fs::fsync(&self.directory).map_err(|e| store::failed("flush", root, &e.into()))?;
        repair::end(root)
    }
}

/// Why an attempt failed.
enum Attempt {
    /// It may be that a publish came in between.
    Again(Vec<Diagnostic>),
    Final(Vec<Diagnostic>),
}

impl From<Diagnostic> for Attempt {
    fn from(diagnostic: Diagnostic) -> Self {
        Attempt::Final(vec![diagnostic])
    }
}

/// A file to fetch.
struct Wanted {
    /// Below the URI.
    path: String,
    hash: FileHash,
}

impl Wanted {
    /// Fetches it, checks it, writes it. `Ok(Some(…))` says what is wrong with what the server has.
    fn fetch(&self, remote: &Remote, root: &Path, date: i64) -> Result<Option<String>, Diagnostic> {
        let FileHash { size, sha256 } = &self.hash;
        let Some(bytes) = remote.get(&self.path, *size)? else {
            return Ok(Some(format!("{} is not there", self.path)));
        };
        if bytes.len() as u64 != *size || store::sha256(&bytes) != *sha256 {
            return Ok(Some(format!("{} has other contents than the manifest says", self.path)));
        }
        if self.path.starts_with("pool/") {
            let path = root.join(&self.path);
            if let Some(directory) = path.parent() {
                store::directory(directory)?;
            }
            store::remove(&path)?;
            store::create(&path, &bytes, date)?;
        } else {
            store::put_by_hash(root, sha256, &bytes, date, false)?;
        }
        Ok(None)
    }
}

/// Everything that the manifest names, each once: the package set, the indexes by their hash, what is still in grace.
fn wanted(manifest: &Manifest) -> Vec<Wanted> {
    let mut found: BTreeMap<String, FileHash> = BTreeMap::new();
    // By hash: one path for each content is enough.
    let mut contents: BTreeMap<String, (String, u64)> = BTreeMap::new();
    for record in &manifest.packages {
        found.insert(record.filename.clone(), FileHash { size: record.size, sha256: record.sha256.clone() });
    }
    for (suite, files) in &manifest.suites {
        for (path, hash) in files {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let path = format!("dists/{suite}/{folder}/by-hash/SHA256/{}", hash.sha256);
            contents.insert(hash.sha256.clone(), (path, hash.size));
        }
    }
    for retained in &manifest.retained {
        if retained.path.starts_with("pool/") {
            found.insert(retained.path.clone(), FileHash { size: retained.size, sha256: retained.sha256.clone() });
        } else {
            contents.entry(retained.sha256.clone()).or_insert_with(|| (retained.path.clone(), retained.size));
        }
    }
    for (sha256, (path, size)) in contents {
        found.insert(path, FileHash { size, sha256 });
    }
    // The manifest is signed by our own key; a path that leaves the directory is refused all the same.
    found.retain(|path, _| path.split('/').all(|part| !matches!(part, "" | "." | "..")));
    found.into_iter().map(|(path, hash)| Wanted { path, hash }).collect()
}

/// Fetches a suite's signed files, and checks that they are those of this manifest.
fn fetch_suite(
    remote: &Remote,
    verifier: &Verifier,
    suite: &Codename,
    files: &BTreeMap<String, FileHash>,
) -> Result<SignedSuite, Attempt> {
    let get = |name: &str| -> Result<Vec<u8>, Attempt> {
        let path = format!("dists/{suite}/{name}");
        remote
            .get(&path, LARGEST_MANIFEST)?
            .ok_or_else(|| Attempt::Again(vec![incomplete(remote, &[format!("{path} is not there")])]))
    };
    let (in_release, release, release_gpg) = (get("InRelease")?, get("Release")?, get("Release.gpg")?);
    let distrust = |e: crate::sign::SignError| Attempt::Again(vec![untrusted(remote, &e.message).help(e.help)]);
    let text = verifier.cleartext(&in_release).map_err(distrust)?;
    verifier.detached(&release_gpg, &release).map_err(distrust)?;
    let text = String::from_utf8_lossy(&text);
    let lists: BTreeMap<String, FileHash> = listed(&text)
        .map(|(sha256, size, path)| (path.to_owned(), FileHash { size, sha256: sha256.to_owned() }))
        .collect();
    if lists != *files || String::from_utf8_lossy(&release).trim_end() != text.trim_end() {
        let other = format!("dists/{suite}/InRelease is not of the generation that the manifest describes");
        return Err(Attempt::Again(vec![incomplete(remote, &[other])]));
    }
    Ok(SignedSuite { codename: suite.clone(), release, in_release, release_gpg })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn untrusted(remote: &Remote, why: &str) -> Diagnostic {
    Diagnostic::new(
        &rules::published_untrusted::RULE,
        format!("what is published at {} can't be trusted: {why}", remote.uri),
    )
    .help("put the key that signed it into keys/; if nobody of you changed it, find out who did")
}

fn foreign(remote: &Remote, suite: &Codename) -> Diagnostic {
    Diagnostic::new(
        &rules::published_foreign::RULE,
        format!("{} has a suite {suite} that debrole did not publish", remote.uri),
    )
    .help("publish under a URI of its own; or pass --first-publish, when that repository is to be replaced")
}

fn incomplete(remote: &Remote, wrong: &[String]) -> Diagnostic {
    let mut diagnostic = Diagnostic::new(
        &rules::published_incomplete::RULE,
        format!("what is published at {} is not whole: {}", remote.uri, wrong.first().map_or("", String::as_str)),
    )
    .help("copy all of the published repository there again, or build from a copy of its output directory");
    for each in wrong.iter().skip(1).take(8) {
        diagnostic = diagnostic.note(each.clone());
    }
    diagnostic
}

/// Where the published repository is.
struct Remote {
    uri: String,
    place: Place,
}

enum Place {
    Directory(PathBuf),
    Web(ureq::Agent),
}

impl Remote {
    fn new(uri: &str) -> Remote {
        let uri = uri.trim_end_matches('/').to_owned();
        let place = match uri.strip_prefix("file:") {
            // file:/srv/apt and file:///srv/apt are the same place.
            Some(path) => Place::Directory(PathBuf::from(format!("/{}", path.trim_start_matches('/')))),
            None => Place::Web(
                ureq::Agent::config_builder()
                    .http_status_as_error(false)
                    .user_agent(concat!("debrole/", env!("CARGO_PKG_VERSION")))
                    .timeout_connect(Some(Duration::from_secs(10)))
                    .timeout_recv_response(Some(Duration::from_secs(30)))
                    .timeout_recv_body(Some(Duration::from_secs(600)))
                    .build()
                    .new_agent(),
            ),
        };
        Remote { uri, place }
    }

    fn shown(&self, path: &str) -> String {
        format!("{}/{path}", self.uri)
    }

    /// The bytes of a file, at most one more than `limit`; None where the server says that there is none.
    fn get(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, Diagnostic> {
        let unreachable = |why: String| {
            Diagnostic::new(
                &rules::published_unreachable::RULE,
                format!("can't see what is published: {}: {why}", self.shown(path)),
            )
            .help("see that the server is up and that `uri` in debrole.toml is right; or build with a copy of its output directory")
            .help("if nothing has been published there yet, say so: --first-publish")
        };
        match &self.place {
            Place::Directory(directory) => match std::fs::read(directory.join(path)) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
                Err(e) => Err(unreachable(e.to_string())),
            },
            Place::Web(agent) => {
                let mut response = agent.get(self.shown(path)).call().map_err(|e| unreachable(e.to_string()))?;
                match response.status().as_u16() {
                    200 => {}
                    404 | 410 => return Ok(None),
                    status => return Err(unreachable(format!("the server says {status}"))),
                }
                let body = response.body_mut().with_config().limit(limit.saturating_add(1)).read_to_vec();
                match body {
                    Ok(bytes) => Ok(Some(bytes)),
                    // Longer than it should be: what there is of it will not have the right hash.
                    Err(ureq::Error::BodyExceedsLimit(_)) => Ok(Some(Vec::new())),
                    Err(e) => Err(unreachable(e.to_string())),
                }
            }
        }
    }
}
