//! What runs machines: libvirt, QEMU without it, or systemd-nspawn. Each keeps apart what is of this fleet from
//! everything else that it runs, and never touches the latter.

mod domain;
mod error;
mod kept;
pub mod libvirt;
mod local;
pub mod nspawn;
mod own;
pub mod qemu;
mod qmp;

pub use self::error::RunError;
pub(super) use self::error::size;
use super::console::ConsoleLines;
use super::image::Image;
use super::probe::Proof;
use super::{Accelerator, Machine, Progress};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is added to a machine's name while another takes its place ([`Hypervisor::set_aside`]). No machine is called so.
pub const ASIDE: &str = "~aside";

/// How much of a machine's console is kept, in bytes, where we keep it ourselves.
pub const CONSOLE_LIMIT: u64 = 16 << 20;

/// A processor by its QEMU and libvirt names, which are the same.
struct Processor {
    model: &'static str,
    /// What it has beyond the model.
    has: &'static [&'static str],
    /// What it lacks of the model.
    lacks: &'static [&'static str],
}

/// The processor that translation (TCG) shows to a machine: x86-64-v2 of the psABI, which is more than Debian's amd64 asks
/// for (x86-64), and what keeps a kernel from running and reading its users' memory by mistake. Not all that can be
/// translated: what is there is used, wide vectors in every program, and modules are loaded for virtualization within
/// translation. Without, a boot to the login takes an eighth less.
const TRANSLATED: Processor = Processor {
    model: "qemu64",
    has: &["ssse3", "sse4.1", "sse4.2", "popcnt", "lahf_lm", "smep", "smap", "umip", "rdrand"],
    lacks: &["svm"],
};

/// What a machine is made of.
#[derive(Debug, Clone)]
pub enum Form {
    /// Its disks, in the order of [`Machine::disks`].
    Disks(Vec<Image>),
    /// Its whole file system: a directory.
    Tree(PathBuf),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormKind {
    Disks,
    Tree,
}

impl Form {
    fn kind(&self) -> FormKind {
        match self {
            Form::Disks(_) => FormKind::Disks,
            Form::Tree(_) => FormKind::Tree,
        }
    }

    /// Its disks; none of a directory.
    fn images(&self) -> &[Image] {
        if let Form::Disks(images) = self { images } else { &[] }
    }
}

impl FormKind {
    fn word(self) -> &'static str {
        match self {
            FormKind::Disks => "disks",
            FormKind::Tree => "a directory",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// There is no machine of that name (of this fleet).
    Absent,
    Off,
    Running,
}

/// How a machine is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// As if its power button were pressed; an error where it still runs after this time.
    Gracefully { limit: Duration },
    /// As if its plug were pulled.
    AtOnce,
}

/// A machine of this fleet, as its hypervisor knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub state: State,
    pub accelerator: Accelerator,
    pub cpus: u32,
    /// MiB.
    pub memory: u64,
}

/// Something that runs machines. All of it is by the machine's name, and concerns machines of this fleet only: one of
/// another fleet, or nobody's, is [`State::Absent`] to [`Hypervisor::state`], and [`RunError::NotOurs`] to whatever
/// would change it.
pub trait Hypervisor: Send + Sync {
    /// `libvirt at qemu+ssh://kvm1.example.org/system`, `QEMU on this machine`.
    fn describe(&self) -> String;
    fn form(&self) -> FormKind;
    /// What it can run machines by at all, the fastest first. Whether KVM works is another question: see
    /// [`Hypervisor::prove_kvm`].
    fn accelerators(&self) -> Vec<Accelerator>;
    /// Whether guests run by KVM, found out by running some. `kernel` is one to try, such as that of the machine that is to
    /// run; without, the hypervisor's own is, and where it has none either, the proof is [`Proof::Half`].
    fn prove_kvm(&self, kernel: Option<&Path>) -> Proof;
    /// Whether the machine can be placed: nothing has its name, its bridges exist, nothing has its MAC address or answers
    /// at its addresses, its disks fit. All reasons at once.
    fn free(&self, machine: &Machine) -> Result<(), Vec<RunError>>;
    /// Takes over what the machine is made of (the images or the tree are moved where they can be, else copied), and
    /// defines it. It does not run yet. On an error nothing of it is left.
    fn place(
        &self,
        machine: &Machine,
        accelerator: Accelerator,
        form: &Form,
        progress: &dyn Progress,
    ) -> Result<(), RunError>;
    /// Starts it. What comes back are the lines of its console, from the first one on; it runs on when they are dropped.
    fn start(&self, name: &str) -> Result<Box<dyn ConsoleLines>, RunError>;
    /// Stops it. One that does not run is stopped already.
    fn stop(&self, name: &str, how: Stop) -> Result<(), RunError>;
    fn state(&self, name: &str) -> Result<State, RunError>;
    /// Connects the person at the terminal with the machine until they leave.
    fn attach(&self, name: &str) -> Result<(), RunError>;
    /// Where the console's last lines are kept, for a person: `/var/log/…/web1.log on kvm1`.
    fn log(&self, name: &str) -> String;
    /// Stops it at once and removes it with its disks. One that isn't there is removed already.
    fn remove(&self, name: &str) -> Result<(), RunError>;
    /// The machines of this fleet, by name, without those that are set aside.
    fn list(&self) -> Result<Vec<Entry>, RunError>;
    /// Stops the machine and puts it out of the way of another of its name, so that it can still come back.
    fn set_aside(&self, name: &str) -> Result<(), RunError>;
    /// Makes the machine that was set aside the one of this name again; there must be no other. It does not run.
    fn bring_back(&self, name: &str) -> Result<(), RunError>;
    /// Removes the machine that was set aside. Where there is none, nothing is done.
    fn drop_aside(&self, name: &str) -> Result<(), RunError>;
}

/// Whether a hypervisor runs machines that are made of this, and by this.
fn suits(on: &impl Hypervisor, accelerator: Accelerator, form: &Form) -> Result<(), RunError> {
    let (wanted, given) = (on.form(), form.kind());
    if wanted != given {
        return Err(RunError::Form { on: on.describe(), wanted: wanted.word(), given: given.word() });
    }
    let can = on.accelerators();
    if !can.contains(&accelerator) {
        return Err(RunError::Accelerator { on: on.describe(), wanted: accelerator, can });
    }
    Ok(())
}

/// The name under which a machine is set aside.
pub fn aside(name: &str) -> String {
    format!("{name}{ASIDE}")
}
