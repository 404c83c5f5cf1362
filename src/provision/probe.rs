//! Whether guests run by the processor's own virtualization, found out by running one.
//!
//! That `/dev/kvm` is there and opens proves nothing: there are machines where it does and guests hang, and others that
//! run a boot sector and no kernel. So two guests are run, each with a deadline.

pub mod guest;
pub mod sheet;

use super::Accelerator;
use crate::exec::{Command, ExecError};
use crate::scratch::Scratch;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a guest that is a boot sector may take for its word: about 0.2 seconds otherwise.
pub(super) const SECTOR_LIMIT: Duration = Duration::from_secs(10);

/// How long a kernel may take to its first program by KVM: a second or two otherwise.
pub(super) const KERNEL_LIMIT: Duration = Duration::from_secs(30);

/// How much longer where every instruction is translated, on a machine that may have other things to do.
const TRANSLATED: u32 = 6;

/// What came of running a guest by KVM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// A boot sector and a kernel ran, and said their word.
    Works,
    /// A boot sector ran, and there was no kernel to try: some hosts run the one and hang with the other.
    Half,
    /// There is no KVM to try.
    Missing { why: String },
    /// It was tried and gave an error.
    Broken { why: String },
    /// It was tried, and the guest said nothing within this time.
    Hangs { limit: Duration },
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Proof::Works => write!(f, "works"),
            Proof::Half => write!(f, "runs a boot sector; there was no kernel to try"),
            Proof::Missing { why } => write!(f, "is not there: {why}"),
            Proof::Broken { why } => write!(f, "does not work: {why}"),
            Proof::Hangs { limit } => {
                write!(f, "hangs: a guest that takes a moment said nothing within {} seconds", limit.as_secs())
            }
        }
    }
}

/// What the two guests did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    pub sector: Proof,
    /// `None` where there was no kernel to try, or the first guest said it all.
    pub kernel: Option<Proof>,
}

impl Trial {
    /// The two as one.
    pub fn proof(self) -> Proof {
        match (self.sector, self.kernel) {
            (Proof::Works, Some(kernel)) => kernel,
            (Proof::Works, None) => Proof::Half,
            (sector, _) => sector,
        }
    }
}

/// Whether `qemu` runs guests by KVM on this machine: with this kernel, or the newest of this machine's own.
pub fn prove_kvm(qemu: &str, kernel: Option<&Path>) -> Proof {
    trial(qemu, Accelerator::Kvm, kernel.map(Path::to_owned).or_else(|| newest_kernel(Path::new("/boot")))).proof()
}

/// Runs both guests by this accelerator.
pub fn trial(qemu: &str, accelerator: Accelerator, kernel: Option<PathBuf>) -> Trial {
    if accelerator == Accelerator::Kvm
        && let Err(why) = device(Path::new("/dev/kvm"))
    {
        return Trial { sector: Proof::Missing { why }, kernel: None };
    }
    let sector = run(qemu, accelerator, SECTOR_LIMIT, |directory| {
        let disk = directory.join("disk");
        std::fs::write(&disk, guest::boot_disk(guest::WORD))?;
        Ok(vec!["-drive".into(), format!("if=virtio,format=raw,readonly=on,file={}", disk.display())])
    });
    let kernel = kernel.filter(|_| sector == Proof::Works).map(|kernel| {
        run(qemu, accelerator, KERNEL_LIMIT, |directory| {
            let initramfs = directory.join("initramfs");
            std::fs::write(&initramfs, guest::initramfs(guest::WORD))?;
            let arguments = ["-kernel", &kernel.to_string_lossy(), "-initrd", &initramfs.to_string_lossy()];
            let mut arguments: Vec<String> = arguments.map(str::to_owned).into();
            arguments.extend(["-append".into(), "console=ttyS0 quiet panic=-1".into(), "-no-reboot".into()]);
            Ok(arguments)
        })
    });
    Trial { sector, kernel }
}

/// Whether the device opens; if not, why, and what to do.
pub fn device(path: &Path) -> Result<(), String> {
    match std::fs::File::options().read(true).write(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(format!("there is no {}", path.display())),
        Err(error) => Err(format!("{} does not open: {error}", path.display())),
    }
}

/// The newest kernel of Debian's in a directory.
pub fn newest_kernel(boot: &Path) -> Option<PathBuf> {
    let kernels = std::fs::read_dir(boot).ok()?.flatten().map(|entry| entry.path());
    let kernels = kernels.filter(|path| {
        path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with("vmlinuz")) && path.is_file()
    });
    kernels.max_by_key(|path| std::fs::metadata(path).and_then(|m| m.modified()).ok())
}

fn run(
    qemu: &str,
    accelerator: Accelerator,
    limit: Duration,
    guest: impl FnOnce(&Path) -> std::io::Result<Vec<String>>,
) -> Proof {
    let broken = |why: String| Proof::Broken { why };
    let directory = match Scratch::new() {
        Ok(directory) => directory,
        Err(error) => return broken(format!("no guest could be made: {error}")),
    };
    let guest = match guest(directory.path()) {
        Ok(guest) => guest,
        Err(error) => return broken(format!("no guest could be made: {error}")),
    };
    let console = directory.path().join("console");
    let (accel, cpu, limit) = match accelerator {
        // As machines are run.
        Accelerator::Kvm => ("kvm", "host", limit),
        Accelerator::Tcg | Accelerator::Nspawn => ("tcg", "max", limit * TRANSLATED),
    };
    let qemu = Command::new(qemu)
        .args(["-nodefaults", "-no-user-config", "-machine", "q35", "-accel", accel, "-cpu", cpu, "-m", "256"])
        .args(["-display", "none", "-monitor", "none", "-serial", &format!("file:{}", console.display())])
        .args(guest);
    let outcome = qemu.limit(limit).run();
    let said = std::fs::read(&console).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    match outcome {
        // A guest that said its word ran, even if it could not turn itself off.
        Ok(_) | Err(ExecError::TimedOut { .. }) if said.contains(guest::WORD) => Proof::Works,
        Err(ExecError::TimedOut { .. }) => Proof::Hangs { limit },
        Ok(output) => {
            let words = output.stderr_text();
            let words = words.lines().chain(said.lines()).rfind(|line| !line.trim().is_empty());
            broken(format!("QEMU ended with {}{}", output.status, words.map(|w| format!(": {w}")).unwrap_or_default()))
        }
        Err(ExecError::NotInstalled { .. }) => Proof::Missing { why: "QEMU is not installed".to_owned() },
        Err(error) => broken(error.to_string()),
    }
}
