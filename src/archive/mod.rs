//! What only Debian's archive knows: whether the packages that roles ask for exist in each release, and whether
//! apt's own solver would install each role and host on a fresh machine.
//!
//! For each release and architecture there is a private apt [`root`] in the cache directory. The names that relations
//! use are looked up in its lists first ([`relations`]): that gives errors at the user's line with near names. What
//! remains is put to apt's solver as a local index of the plans' control fields ([`solve`]). [`gate`] puts a staged
//! generation to real apt before it is committed.
//!
//! The solver is that of the build machine's apt, with its default settings (Recommends are installed). It starts
//! from the status of a machine that has the release's essential, required and important packages: what debootstrap
//! makes.

pub mod gate;
mod lists;
mod relations;
mod root;
mod solve;

use crate::diagnostics::{Diagnostic, rules};
use crate::exec::ExecError;
use crate::model::{Model, Release};
use crate::names::{Architecture, Codename};
use crate::plan::PackagePlan;
use base16ct::lower;
use lists::Catalogue;
use rayon::prelude::*;
use root::{FRESH, HostSettings, Lock, Root, complaints, sources_text, write_whole};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Where the archive's lists are kept and how they may be had.
#[derive(Debug, Clone)]
pub struct Options {
    /// The directory of the private apt roots: a cache, which may be deleted at any time.
    pub cache: PathBuf,
    /// The keyring file that sources are trusted by where the release names none.
    pub keyring: PathBuf,
    pub lists: Lists,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lists {
    /// Fetched when there are none or when they are older than a day; old ones are used, with a warning, when the
    /// mirror can't be reached.
    Refresh,
    /// Used as they are, whatever their age; never fetched.
    AsTheyAre,
}

impl Options {
    /// The keyring of the package debian-archive-keyring.
    pub const DEBIAN_KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

    /// `$XDG_CACHE_HOME/debrole/archive` (`~/.cache/…`; the temporary directory for who has no home), Debian's
    /// keyring.
    pub fn new(lists: Lists) -> Self {
        let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let cache = absolute("XDG_CACHE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
            .unwrap_or_else(|| std::env::temp_dir().join(format!("cache-{}", rustix::process::getuid().as_raw())));
        Options { cache: cache.join("debrole/archive"), keyring: Self::DEBIAN_KEYRING.into(), lists }
    }
}

/// Why the archive can't be asked. The tree may be right or wrong: it is not known.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Unavailable {
    pub message: String,
    /// What to do, one sentence each.
    pub help: Vec<String>,
}

impl Unavailable {
    fn new(message: impl Into<String>) -> Self {
        Unavailable { message: message.into(), help: Vec::new() }
    }
    fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }
    fn file(verb: &str, path: &Path, error: &std::io::Error) -> Self {
        Unavailable::new(format!("can't {verb} {}: {error}", path.display()))
            .help("the cache directory must be writable; XDG_CACHE_HOME says where it is")
    }
}

impl From<ExecError> for Unavailable {
    fn from(error: ExecError) -> Self {
        Unavailable::new(error.to_string())
    }
}

/// One release on one architecture, with its lists at hand.
pub(crate) struct Target {
    pub release: Codename,
    pub architecture: Architecture,
    pub root: Root,
    pub fetched: SystemTime,
    /// Why the lists are older than a day, if that could not be helped.
    pub stale: Option<String>,
    /// Others may read the same root meanwhile, nobody may change it.
    _lock: Lock,
}

impl Target {
    /// The lists of a release, fetched or found as the options say.
    fn prepare(release: &Release, architecture: &Architecture, options: &Options) -> Result<Self, Unavailable> {
        let codename = &release.codename.value;
        let keyring = release.keyring.as_ref().unwrap_or(&options.keyring);
        if !keyring.is_file() {
            let help = match &release.keyring {
                Some(_) => {
                    format!("put it there, or name another one as signed_by under [release.{codename}] in debrole.toml")
                }
                None => "install it with: apt-get install debian-archive-keyring".to_owned(),
            };
            return Err(Unavailable::new(format!(
                "the keyring that {codename}'s package lists are trusted by, {}, is not there",
                keyring.display()
            ))
            .help(help));
        }
        let sources = sources_text(&release.sources, architecture, keyring);
        // Two fleets with different mirrors don't take each other's lists away.
        let identity = lower::encode_string(&Sha256::digest(&sources)[..4]);
        let directory = options.cache.join(format!("{codename}-{architecture}-{identity}"));
        if options.lists == Lists::AsTheyAre && !directory.join("fetched").is_file() {
            return Err(no_lists(codename));
        }
        let alone = Root::lock(&directory, true)?;
        let root = Root::create(&directory, architecture, &sources, HostSettings::Kept)?;
        let now = SystemTime::now();
        let age = |fetched: SystemTime| now.duration_since(fetched).unwrap_or_default();
        let mut stale = None;
        let fetched = match (root.fetched(), options.lists) {
            (Some(fetched), Lists::AsTheyAre) => fetched,
            (Some(fetched), Lists::Refresh) if age(fetched) < FRESH => fetched,
            (None, Lists::AsTheyAre) => return Err(no_lists(codename)),
            (old, Lists::Refresh) => match fetch(&root, codename, now) {
                Ok(()) => now,
                Err(error) => match old {
                    Some(fetched) => {
                        stale = Some(error.message);
                        fetched
                    }
                    None => return Err(error),
                },
            },
        };
        drop(alone);
        let lock = Root::lock(&directory, false)?;
        Ok(Target { release: codename.clone(), architecture: architecture.clone(), root, fetched, stale, _lock: lock })
    }

    /// Everything that the lists name.
    fn catalogue(&self) -> Result<Catalogue, Unavailable> {
        let mut catalogue = Catalogue::default();
        for path in self.root.lists()? {
            let text = fs::read(&path).map_err(|e| Unavailable::file("read", &path, &e))?;
            catalogue.add(&text);
        }
        Ok(catalogue)
    }

    /// What the answers depend on beside the question: the lists that are there.
    fn lists_identity(&self) -> Result<String, Unavailable> {
        let mut identity = String::new();
        for path in self.root.lists()? {
            let meta = fs::metadata(&path).map_err(|e| Unavailable::file("read", &path, &e))?;
            let modified = meta.modified().ok().and_then(|t| t.duration_since(SystemTime::UNIX_EPOCH).ok());
            identity.push_str(&format!("{} {} {modified:?}\n", path.display(), meta.len()));
        }
        Ok(identity)
    }
}

fn no_lists(codename: &Codename) -> Unavailable {
    Unavailable::new(format!("there are no package lists of {codename} here yet"))
        .help("fetch them with: debrole check --archive")
}

/// Fetches the lists and derives what is made from them. They count as there only when all of that is done.
fn fetch(root: &Root, codename: &Codename, now: SystemTime) -> Result<(), Unavailable> {
    let output = root.update()?;
    let said = complaints(&output);
    if !output.success() || said.iter().any(|line| !line.starts_with("N:")) {
        let reason = if said.is_empty() { output.stderr_text() } else { said.join("\n") };
        let help = match reason.contains("NO_PUBKEY") || reason.contains("Missing key") {
            true => format!(
                "a mirror that Debian does not sign has its keyring named as signed_by under [release.{codename}] in \
                 debrole.toml"
            ),
            false => "the mirrors are named in debrole.toml, [release.…]; they must be reachable from here".to_owned(),
        };
        return Err(
            Unavailable::new(format!("the package lists of {codename} can't be fetched: {}", reason.trim())).help(help)
        );
    }
    solve::write_base_status(root, codename)?;
    root.set_fetched(now)
}

/// How old something is, in the words of a person.
fn age_text(age: Duration) -> String {
    let hours = age.as_secs() / 3600;
    match hours {
        0..48 => format!("{hours} hours"),
        _ => format!("{} days", hours / 24),
    }
}

/// Checks every relation of the tree against the archive and has apt's solver install every role and host of each
/// release. All errors at once; empty if there is nothing to say.
pub fn check(model: &Model, plans: &[PackagePlan], options: &Options) -> Result<Vec<Diagnostic>, Unavailable> {
    let pairs: Vec<(&Release, &Architecture)> = model
        .fleet
        .releases
        .iter()
        .flat_map(|release| model.fleet.architectures.iter().map(move |architecture| (release, architecture)))
        .collect();
    let prepared: Vec<Result<Target, Unavailable>> =
        pairs.par_iter().map(|(release, architecture)| Target::prepare(release, architecture, options)).collect();
    let mut targets = Vec::new();
    for target in prepared {
        targets.push(target?);
    }
    let mut diagnostics: Vec<Diagnostic> = targets.iter().filter_map(|target| old_lists(model, target)).collect();

    let question = solve::Question::new(model, plans);
    let mut memory = Memory::read(&options.cache);
    let everything = key(&question, &targets, &BTreeSet::new(), &question.relations_text())?;
    if memory.knows(&everything) {
        return Ok(diagnostics);
    }
    let catalogues: Vec<Catalogue> = targets.par_iter().map(Target::catalogue).collect::<Result<_, _>>()?;
    let site: Vec<Catalogue> = targets.iter().map(|target| question.site_names(target)).collect();
    let looked_up = relations::check(model, plans, &targets, &catalogues, &site);
    let solvable = key(&question, &targets, &looked_up.unsatisfiable, "")?;
    let mut clean = looked_up.diagnostics.is_empty();
    diagnostics.extend(looked_up.diagnostics);
    if !memory.knows(&solvable) {
        let solved = solve::check(&question, &targets, &looked_up.unsatisfiable)?;
        if solved.is_empty() {
            memory.add(solvable);
        } else {
            clean = false;
        }
        diagnostics.extend(solved);
    }
    if clean {
        memory.add(everything);
    }
    Ok(diagnostics)
}

/// Questions to which the answer was that nothing is wrong: asked again, they need no apt. Only a cache.
struct Memory {
    path: PathBuf,
    keys: Vec<String>,
}

impl Memory {
    /// How many questions are remembered: those of a few fleets and branches.
    const LENGTH: usize = 32;

    fn read(cache: &Path) -> Self {
        let path = cache.join("clean");
        let keys = fs::read_to_string(&path).unwrap_or_default().lines().map(str::to_owned).collect();
        Memory { path, keys }
    }
    fn knows(&self, key: &str) -> bool {
        self.keys.iter().any(|known| known == key)
    }
    fn add(&mut self, key: String) {
        self.keys.insert(0, key);
        self.keys.truncate(Self::LENGTH);
        // That it can't be written is no reason to fail.
        let _ = write_whole(&self.path, &(self.keys.join("\n") + "\n"));
    }
}

/// What the answer to a question depends on: this program, the lists, what the solver is given, and `more`.
fn key(
    question: &solve::Question<'_>,
    targets: &[Target],
    unsatisfiable: &relations::Unsatisfiable,
    more: &str,
) -> Result<String, Unavailable> {
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    for (i, target) in targets.iter().enumerate() {
        hash.update(target.lists_identity()?);
        hash.update(question.index(target, &relations::omitted(unsatisfiable, i)));
    }
    hash.update(more);
    Ok(lower::encode_string(&hash.finalize()))
}

fn old_lists(model: &Model, target: &Target) -> Option<Diagnostic> {
    let reason = target.stale.as_ref()?;
    let age = SystemTime::now().duration_since(target.fetched).unwrap_or_default();
    let span = model.fleet.release(&target.release).map(|release| release.codename.span)?;
    Some(
        Diagnostic::new(
            &rules::old_lists::RULE,
            format!(
                "checked against package lists of {} on {} that are {} old",
                target.release,
                target.architecture,
                age_text(age)
            ),
        )
        .at(span, "")
        .note(reason.clone()),
    )
}
