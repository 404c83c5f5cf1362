//! The order in which a machine is made, each act written down before it is done.

use super::base::{self, BaseError, BaseRequest};
use super::image::{self, ImageError};
use super::install::{self, InstallError};
use super::ready::{self, NotReady, Ready, SshCheck};
use super::record::Place;
use super::run::{Form, FormKind, Hypervisor, RunError};
use super::undo::{self, Act, Journal};
use super::{Accelerator, Identity, Machine, Phase, Progress, Repository};
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A machine that is to be made, and by what.
pub struct Task<'a> {
    pub machine: &'a Machine,
    pub identity: &'a Identity,
    pub repository: &'a Repository,
    pub hypervisor: &'a dyn Hypervisor,
    /// The same, as it is written down.
    pub place: &'a Place,
    pub accelerator: Accelerator,
    /// Where base trees are kept.
    pub cache: &'a Path,
    /// Where the machine's tree and images are made: a directory that is not there yet, best on the file system where
    /// the hypervisor keeps them.
    pub work: &'a Path,
    /// How long the started machine has until it is ready.
    pub limit: Duration,
    /// Whether there is a machine of this name that is put out of the way for the new one: whether that one runs.
    pub instead: Option<bool>,
}

#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error(transparent)]
    Base(#[from] BaseError),
    #[error(transparent)]
    Install(#[from] InstallError),
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Ready(#[from] NotReady),
    #[error(transparent)]
    Undo(#[from] undo::Fault),
    #[error("can't make {}: {source}", path.display())]
    Work { path: PathBuf, source: std::io::Error },
}

/// Makes the machine, and waits until it is ready. What a failure leaves is in the journal, for the caller to take back.
pub fn make(task: &Task<'_>, journal: &mut Journal, progress: &dyn Progress) -> Result<Ready, Fault> {
    let form = prepare(task, journal, progress)?;
    if let Some(running) = task.instead {
        let name = task.machine.name.clone();
        journal.will(&Act::Withdraw { name: name.clone(), place: task.place.clone(), running })?;
        progress.phase(Phase::Place, "the old machine is put out of the way");
        task.hypervisor.set_aside(&name)?;
    }
    progress.phase(Phase::Place, &task.hypervisor.describe());
    journal.will(&Act::Put { name: task.machine.name.clone(), place: task.place.clone() })?;
    task.hypervisor.place(task.machine, task.accelerator, &form, progress)?;
    progress.phase(Phase::Start, task.accelerator.word());
    let mut console = task.hypervisor.start(&task.machine.name)?;
    progress.phase(Phase::Ready, "");
    let ssh = SshCheck::of(task.machine);
    // A tree of some ten thousand files takes its time to go, and the machine takes longer to come.
    let (ready, cleared) = std::thread::scope(|scope| {
        let clearing = scope.spawn(|| work_is_done(task.work));
        let ready = ready::ready(console.as_mut(), task.machine, task.identity, &ssh, task.limit, progress);
        (ready, clearing.join())
    });
    let ready = ready?;
    cleared.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    Ok(ready)
}

/// The machine's disks, or its tree.
fn prepare(task: &Task<'_>, journal: &mut Journal, progress: &dyn Progress) -> Result<Form, Fault> {
    let container = task.hypervisor.form() == FormKind::Tree;
    let began = SystemTime::now();
    let base = base::base(task.cache, &BaseRequest::of(task.machine, container), progress)?;
    if let Ok(made) = fs::metadata(base.tree.join("var/lib/dpkg/status")).and_then(|status| status.modified())
        && made < began
    {
        let day = jiff::Timestamp::try_from(made).map(|time| time.strftime("%Y-%m-%d").to_string());
        progress.say(&format!("cached, of {}", day.unwrap_or_else(|_| "an unknown day".to_owned())));
    }
    journal.will(&Act::Make { path: task.work.to_owned() })?;
    // The tree and the images have the host key: nobody but root looks in.
    let made = fs::DirBuilder::new().mode(0o700).create(task.work);
    made.map_err(|source| Fault::Work { path: task.work.to_owned(), source })?;
    let tree = task.work.join("tree");
    let installed = install::install(&base, task.machine, task.identity, task.repository, &tree, progress)?;
    drop(base);
    if container {
        return Ok(Form::Tree(installed.path));
    }
    let images = image::images(&installed.path, task.machine, &task.work.join("disks"), progress)?;
    Ok(Form::Disks(images))
}

/// What the hypervisor did not take over goes, the tree that disks were made of included.
fn work_is_done(work: &Path) -> Result<(), Fault> {
    undo::clear(work).map(drop).map_err(|source| Fault::Work { path: work.to_owned(), source })
}
