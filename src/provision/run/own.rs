//! Machines that this machine runs by itself, out of a directory each: what QEMU's and containers have in common.

use super::kept::{Directory, Draft, KEEP_CONSOLE};
use super::{Entry, Form, FormKind, Hypervisor, RunError, State, Stop, aside, local, suits};
use crate::provision::console::{ConsoleLines, Follow};
use crate::provision::probe::Proof;
use crate::provision::{Accelerator, Machine, Progress};
use std::path::Path;
use std::time::{Duration, Instant};

/// The file of a machine's directory that has what its console said.
pub(super) const LOG: &str = "console.log";

/// How long a machine that is set aside may take to shut down before it is ended.
const ASIDE_LIMIT: Duration = Duration::from_secs(90);

/// What differs between them. Each is asked about machines of this fleet only.
pub(super) trait Own: Send + Sync {
    const FORM: FormKind;
    const ACCELERATORS: &'static [Accelerator];
    /// How long a machine that was told to shut down has before it is told again: one that is still booting does not hear.
    const AGAIN: Duration;

    fn directory(&self) -> &Directory;
    fn proof(&self, kernel: Option<&Path>) -> Proof;
    /// What else is missing here that the machine needs.
    fn lacks(&self, machine: &Machine) -> Option<RunError>;
    /// Puts what the machine is made of into its directory, and the script that stops it.
    fn fill(&self, draft: &Draft<'_>, machine: &Machine, form: &Form, progress: &dyn Progress) -> Result<(), RunError>;
    /// The script that runs it.
    fn script(&self, machine: &Machine, accelerator: Accelerator, form: &Form) -> String;
    fn runs(&self, name: &str) -> bool;
    /// The same of a machine in this directory, for who follows its console.
    fn runs_in(path: &Path) -> bool;
    /// Runs the script, and waits until the machine is there. `said` is what its console says meanwhile.
    fn run(&self, name: &str, said: &dyn Fn() -> String) -> Result<(), RunError>;
    /// Presses the power button.
    fn press(&self, name: &str) -> Result<(), RunError>;
    /// Ends it, whatever state it is in.
    fn end(&self, name: &str) -> Result<(), RunError>;
    /// It has shut down: what it leaves behind goes.
    fn clear(&self, name: &str);
    /// Connects the person at the terminal with it.
    fn connect(&self, name: &str) -> Result<(), RunError>;
}

/// Ends it and removes it; `name` is that of its directory.
fn remove_under<M: Own>(machines: &M, name: &str) -> Result<(), RunError> {
    match machines.directory().ours(name) {
        Ok(_) => machines.end(name)?,
        Err(RunError::Absent { .. }) => {}
        Err(error) => return Err(error),
    }
    machines.directory().remove(name)
}

impl<M: Own> Hypervisor for M {
    fn describe(&self) -> String {
        self.directory().on.clone()
    }

    fn form(&self) -> FormKind {
        M::FORM
    }

    fn accelerators(&self) -> Vec<Accelerator> {
        M::ACCELERATORS.to_vec()
    }

    fn prove_kvm(&self, kernel: Option<&Path>) -> Proof {
        self.proof(kernel)
    }

    fn free(&self, machine: &Machine) -> Result<(), Vec<RunError>> {
        let directory = self.directory();
        let mut wrong = directory.taken(machine);
        wrong.extend(local::networks(machine, &directory.on));
        wrong.extend(local::room(machine, &directory.root));
        wrong.extend(local::answering(machine));
        wrong.extend(self.lacks(machine));
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    fn place(
        &self,
        machine: &Machine,
        accelerator: Accelerator,
        form: &Form,
        progress: &dyn Progress,
    ) -> Result<(), RunError> {
        suits(self, accelerator, form)?;
        let draft = self.directory().draft(machine, accelerator)?;
        self.fill(&draft, machine, form, progress)?;
        draft.write("keep_console.pl", KEEP_CONSOLE, 0o600)?;
        draft.write(LOG, "", 0o600)?;
        draft.write("start", &self.script(machine, accelerator, form), 0o700)?;
        draft.finish()
    }

    fn start(&self, name: &str) -> Result<Box<dyn ConsoleLines>, RunError> {
        self.directory().ours(name)?;
        let path = self.directory().path(name);
        let log = path.join(LOG);
        let from = std::fs::metadata(&log).map_or(0, |metadata| metadata.len());
        let follow = Follow::new(&log, from, Box::new(move || M::runs_in(&path)));
        let said = || {
            let said = std::fs::read(&log).unwrap_or_default();
            String::from_utf8_lossy(said.get(from as usize..).unwrap_or_default()).trim().to_owned()
        };
        if !self.runs(name)
            && let Err(error) = self.run(name, &said)
        {
            // One that hangs before it answers would hold the lock for ever.
            let _ = self.end(name);
            return Err(error);
        }
        Ok(Box::new(follow))
    }

    fn stop(&self, name: &str, how: Stop) -> Result<(), RunError> {
        self.directory().ours(name)?;
        let Stop::Gracefully { limit } = how else { return self.end(name) };
        let started = Instant::now();
        while self.runs(name) {
            if started.elapsed() > limit {
                return Err(RunError::DoesNotStop { name: name.to_owned(), limit });
            }
            self.press(name)?;
            Directory::wait(M::AGAIN.min(limit), || !self.runs(name));
        }
        self.clear(name);
        Ok(())
    }

    fn state(&self, name: &str) -> Result<State, RunError> {
        match self.directory().ours(name) {
            Ok(_) if self.runs(name) => Ok(State::Running),
            Ok(_) => Ok(State::Off),
            Err(RunError::Absent { .. } | RunError::NotOurs { .. }) => Ok(State::Absent),
            Err(error) => Err(error),
        }
    }

    fn attach(&self, name: &str) -> Result<(), RunError> {
        self.directory().ours(name)?;
        if !self.runs(name) {
            return Err(RunError::DoesNotRun { name: name.to_owned() });
        }
        self.connect(name)
    }

    fn log(&self, name: &str) -> String {
        self.directory().path(name).join(LOG).display().to_string()
    }

    fn remove(&self, name: &str) -> Result<(), RunError> {
        remove_under(self, name)
    }

    fn list(&self) -> Result<Vec<Entry>, RunError> {
        self.directory().list(|name| self.state(name))
    }

    fn set_aside(&self, name: &str) -> Result<(), RunError> {
        self.directory().ours(name)?;
        if self.stop(name, Stop::Gracefully { limit: ASIDE_LIMIT }).is_err() {
            self.end(name)?;
        }
        self.directory().set_aside(name)
    }

    fn bring_back(&self, name: &str) -> Result<(), RunError> {
        self.directory().bring_back(name)
    }

    fn drop_aside(&self, name: &str) -> Result<(), RunError> {
        remove_under(self, &aside(name))
    }
}
