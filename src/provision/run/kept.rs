//! Machines that are directories of this machine's: what is kept of each, and whether it runs.
//!
//! ```text
//! <root>/<name>/machine.json     what it is, and of which fleet
//! <root>/<name>/start            a script that runs it; holds `lock` while it does
//! <root>/<name>/console.log[.1]  what it wrote to its console
//! <root>/.<name>.new/            one that is being placed
//! ```
//!
//! A lock, not a number in a file, says that something runs: the kernel lets go of it however the holder ends.

use super::{CONSOLE_LIMIT, Entry, RunError, State, aside};
use crate::exec::{Command, ExecError};
use crate::provision::{Accelerator, Machine};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

const DESCRIPTION: &str = "machine.json";

/// What is kept of a machine beside what it is made of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Whose it is.
    pub fleet: String,
    pub name: String,
    pub accelerator: Accelerator,
    pub cpus: u32,
    /// MiB.
    pub memory: u64,
    /// The MAC addresses of its interfaces.
    pub macs: Vec<String>,
    pub autostart: bool,
}

/// The directory of all machines that one kind of hypervisor has here.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    pub root: PathBuf,
    pub fleet: String,
    /// What the hypervisor is called in messages.
    pub on: String,
    /// Where systemd looks for units, when it is systemd that started this machine.
    pub units: Option<PathBuf>,
}

/// A machine that is being placed: gone again when dropped, unless it is finished.
pub(super) struct Draft<'a> {
    of: &'a Directory,
    name: String,
    pub path: PathBuf,
    /// Held while it is made, so that two do not make one machine.
    _lock: File,
    finished: bool,
}

impl Directory {
    pub fn new(root: &Path, fleet: &str, on: &str) -> Directory {
        // sd_booted(3)
        let systemd = Path::new("/run/systemd/system").is_dir();
        let units = systemd.then(|| PathBuf::from("/etc/systemd/system"));
        Directory { root: root.to_owned(), fleet: fleet.to_owned(), on: on.to_owned(), units }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// A word for the machine that no other on this machine has, also none of its name in another directory: 16
    /// hexadecimal digits.
    pub fn token(&self, name: &str) -> String {
        let mut hash = Sha256::new();
        if let Ok(metadata) = std::fs::metadata(&self.root) {
            hash.update(metadata.dev().to_le_bytes());
            hash.update(metadata.ino().to_le_bytes());
        }
        hash.update(name.as_bytes());
        hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What is known of the machine: `None` where there is none of that name.
    pub fn read(&self, name: &str) -> Result<Option<Kept>, RunError> {
        let path = self.path(name).join(DESCRIPTION);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(RunError::io("read", path)(error)),
        };
        serde_json::from_slice(&text).map(Some).map_err(|error| RunError::io("read", path)(error.into()))
    }

    /// The machine, if it is of this fleet.
    pub fn ours(&self, name: &str) -> Result<Kept, RunError> {
        match self.read(name)? {
            Some(kept) if kept.fleet == self.fleet => Ok(kept),
            Some(_) => Err(RunError::NotOurs { name: name.to_owned(), on: self.on.clone() }),
            None => Err(RunError::Absent { name: name.to_owned(), on: self.on.clone() }),
        }
    }

    /// Whether the name and the MAC addresses are free.
    pub fn taken(&self, machine: &Machine) -> Vec<RunError> {
        let mut wrong = Vec::new();
        if let Err(error) = self.free_name(&machine.name) {
            wrong.push(error);
        }
        for kept in self.all().unwrap_or_default() {
            // What was set aside for this very machine never runs beside it.
            if kept.name == machine.name && kept.fleet == self.fleet {
                continue;
            }
            let both = machine.networks.iter().filter(|network| kept.macs.contains(&network.mac));
            wrong.extend(both.map(|network| RunError::MacTaken {
                mac: network.mac.clone(),
                by: kept.name.clone(),
                on: self.on.clone(),
            }));
        }
        wrong
    }

    fn free_name(&self, name: &str) -> Result<(), RunError> {
        let (name_, on) = (name.to_owned(), self.on.clone());
        match self.read(name) {
            Ok(Some(kept)) if kept.fleet == self.fleet => Err(RunError::NameTaken { name: name_, on }),
            // A directory that is not a machine is nobody's to overwrite either.
            Ok(None) if !self.path(name).exists() => Ok(()),
            _ => Err(RunError::NameTakenByOthers { name: name_, on }),
        }
    }

    /// All machines, of whichever fleet, also those that are set aside, by name.
    pub fn all(&self) -> Result<Vec<Kept>, RunError> {
        let entries = match std::fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(RunError::io("read", &self.root)(error)),
        };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut all: Vec<Kept> = names.filter_map(|name| self.read(&name).ok().flatten()).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// The fleet's machines, with what `state` says of each.
    pub fn list(&self, state: impl Fn(&str) -> Result<State, RunError>) -> Result<Vec<Entry>, RunError> {
        let mut entries: Vec<Entry> = Vec::new();
        for kept in self.all()?.into_iter().filter(|kept| kept.fleet == self.fleet) {
            // One that is set aside keeps its name in its description; only its directory is called otherwise.
            if entries.iter().any(|entry| entry.name == kept.name) || !self.path(&kept.name).exists() {
                continue;
            }
            let Kept { name, accelerator, cpus, memory, .. } = kept;
            entries.push(Entry { state: state(&name)?, name, accelerator, cpus, memory });
        }
        Ok(entries)
    }

    /// Begins to place a machine.
    pub fn draft(&self, machine: &Machine, accelerator: Accelerator) -> Result<Draft<'_>, RunError> {
        let name = &machine.name;
        self.free_name(name)?;
        let path = self.path(&format!(".{name}.new"));
        std::fs::create_dir_all(&self.root).map_err(RunError::io("make", &self.root))?;
        std::fs::set_permissions(&self.root, PermissionsExt::from_mode(0o700))
            .map_err(RunError::io("make", &self.root))?;
        // The lock is not in what is made, which may be cleared below.
        let lock_path = self.path(&format!(".{name}.lock"));
        let lock = File::create(&lock_path).map_err(RunError::io("make", &lock_path))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(RunError::NameTaken { name: name.clone(), on: self.on.clone() });
        }
        // Of somebody who was killed while placing it: the lock was free.
        remove_all(&path)?;
        std::fs::create_dir(&path).map_err(RunError::io("make", &path))?;
        let draft = Draft { of: self, name: name.clone(), path, _lock: lock, finished: false };
        let kept = Kept {
            fleet: self.fleet.clone(),
            name: name.clone(),
            accelerator,
            cpus: machine.cpus,
            memory: machine.memory,
            macs: machine.networks.iter().map(|network| network.mac.clone()).collect(),
            autostart: machine.autostart,
        };
        draft.write(DESCRIPTION, &serde_json::to_string_pretty(&kept).expect("plain data"), 0o600)?;
        Ok(draft)
    }

    /// Moves the machine out of the way, and back. It does not run.
    pub fn rename(&self, from: &str, to: &str, kept: &Kept) -> Result<(), RunError> {
        self.without_unit(from)?;
        let (from, to_path) = (self.path(from), self.path(to));
        std::fs::rename(&from, &to_path).map_err(RunError::io("rename", &from))?;
        if to == kept.name { self.with_unit(to, kept) } else { Ok(()) }
    }

    pub fn set_aside(&self, name: &str) -> Result<(), RunError> {
        let kept = self.ours(name)?;
        if self.path(&aside(name)).exists() {
            return Err(RunError::AsideTaken { name: name.to_owned(), on: self.on.clone() });
        }
        self.rename(name, &aside(name), &kept)
    }

    pub fn bring_back(&self, name: &str) -> Result<(), RunError> {
        self.free_name(name)?;
        let kept = self.ours(&aside(name))?;
        self.rename(&aside(name), name, &kept)
    }

    /// Removes a machine's directory, and one that was being placed by somebody who is no more.
    pub fn remove(&self, name: &str) -> Result<(), RunError> {
        self.without_unit(name)?;
        remove_all(&self.path(name))?;
        let lock_path = self.path(&format!(".{name}.lock"));
        if let Ok(lock) = File::open(&lock_path)
            && flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok()
        {
            remove_all(&self.path(&format!(".{name}.new")))?;
            let _ = std::fs::remove_file(lock_path);
        }
        Ok(())
    }

    // Running.

    /// Whether the machine's lock is held.
    pub fn runs(&self, name: &str) -> bool {
        runs(&self.path(name))
    }

    /// Runs the machine's script, by systemd where there is one, and waits until `up` says that it runs.
    pub fn start(&self, name: &str, up: impl Fn() -> bool) -> Result<(), RunError> {
        let path = self.path(name);
        let mut child: Option<Child> = None;
        let failed = |reason: String| RunError::DoesNotStart { name: name.to_owned(), on: self.on.clone(), reason };
        if let Some(units) = &self.units
            && units.join(self.unit(name)).exists()
        {
            let start = Command::new("systemctl").args(["start", &self.unit(name)]);
            start.run_ok().map_err(|error| failed(format!("{error}{}", self.words(name))))?;
        } else {
            child = Some(Command::new(path.join("start")).detach().map_err(|error| failed(error.to_string()))?);
        }
        let started = Instant::now();
        loop {
            if up() {
                break;
            }
            let ended = match &mut child {
                Some(child) => !matches!(child.try_wait(), Ok(None)),
                // systemd has run it; give it the moment to take the lock.
                None => started.elapsed() > Duration::from_secs(15) && !self.runs(name),
            };
            if ended || started.elapsed() > Duration::from_secs(60) {
                return Err(failed(self.words(name)));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        if let Some(mut child) = child {
            // So that it does not stay behind as a zombie while this program goes on.
            std::thread::spawn(move || child.wait());
        }
        Ok(())
    }

    /// What the script said last.
    fn words(&self, name: &str) -> String {
        let text = std::fs::read(self.path(name).join("start.log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        match lines.len() {
            0 => "it ended at once, without a word".to_owned(),
            n => lines[n.saturating_sub(5)..].join("\n"),
        }
    }

    /// Waits until `over`; whether that came in time.
    pub fn wait(limit: Duration, over: impl Fn() -> bool) -> bool {
        let started = Instant::now();
        loop {
            if over() {
                return true;
            }
            if started.elapsed() > limit {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    // systemd.

    pub fn unit(&self, name: &str) -> String {
        format!("debrole-{}-{name}.service", self.token(name))
    }

    /// Gives the machine a unit, where there is a systemd to run it.
    pub fn with_unit(&self, name: &str, kept: &Kept) -> Result<(), RunError> {
        let Some(units) = &self.units else { return Ok(()) };
        let path = units.join(self.unit(name));
        std::fs::write(&path, unit(&self.path(name), kept)).map_err(RunError::io("write", path))?;
        self.systemctl(&["daemon-reload"])?;
        if kept.autostart { self.systemctl(&["enable", "--quiet", &self.unit(name)]) } else { Ok(()) }
    }

    fn without_unit(&self, name: &str) -> Result<(), RunError> {
        let Some(units) = &self.units else { return Ok(()) };
        let path = units.join(self.unit(name));
        if !path.exists() {
            return Ok(());
        }
        self.systemctl(&["disable", "--quiet", "--now", &self.unit(name)])?;
        std::fs::remove_file(&path).map_err(RunError::io("remove", path))?;
        self.systemctl(&["daemon-reload"])
    }

    fn systemctl(&self, arguments: &[&str]) -> Result<(), RunError> {
        let what = format!("run \"systemctl {}\"", arguments.join(" "));
        Command::new("systemctl").args(arguments).run_ok().map(drop).map_err(RunError::exec(what))
    }
}

impl Draft<'_> {
    pub fn write(&self, name: &str, text: &str, mode: u32) -> Result<(), RunError> {
        let path = self.path.join(name);
        let write = || {
            std::fs::write(&path, text)?;
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode))
        };
        write().map_err(RunError::io("write", &path))
    }

    /// Takes over a file or a directory: by rename, or by a copy from another file system.
    pub fn take(&self, from: &Path, to: &str) -> Result<(), RunError> {
        let target = self.path.join(to);
        match std::fs::rename(from, &target) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::CrossesDevices => {}
            Err(error) => return Err(RunError::io("move", from)(error)),
        }
        let what = format!("copy {} to {}", from.display(), self.of.root.display());
        let copy = Command::new("cp").args(["-a", "--sparse=always", "--reflink=auto"]).arg(from).arg(&target);
        copy.limit(Duration::from_secs(3600)).run_ok().map_err(RunError::exec(what))?;
        // What could not be removed there is in nobody's way here.
        let _ = remove_all(from);
        Ok(())
    }

    /// It is whole: from now on it is a machine.
    pub fn finish(mut self) -> Result<(), RunError> {
        let path = self.of.path(&self.name);
        std::fs::rename(&self.path, &path).map_err(RunError::io("make", &path))?;
        self.finished = true;
        let with_unit = self.of.ours(&self.name).and_then(|kept| self.of.with_unit(&self.name, &kept));
        if with_unit.is_err() {
            let _ = self.of.without_unit(&self.name);
            let _ = remove_all(&path);
        }
        with_unit
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.finished {
            let _ = remove_all(&self.path);
        }
        let _ = std::fs::remove_file(self.of.path(&format!(".{}.lock", self.name)));
    }
}

/// Whether something holds the lock of the machine in this directory.
pub(super) fn runs(path: &Path) -> bool {
    File::open(path.join("lock")).is_ok_and(|lock| {
        // Shared: two who ask at once do not take each other for the machine.
        flock(&lock, FlockOperation::NonBlockingLockShared).is_err()
    })
}

/// Removes a file or directory with all below it, on its own file system only; nothing where there is none.
pub(super) fn remove_all(path: &Path) -> Result<(), RunError> {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    // rm(1): it also ends with directories deeper than a path may be long.
    let remove = Command::new("rm").args(["-rf", "--one-file-system", "--"]).arg(path).limit(Duration::from_secs(900));
    remove
        .run_ok()
        .map(drop)
        .map_err(|source: ExecError| RunError::Exec { what: format!("remove {}", path.display()), source })
}

/// The unit that runs a machine with its hypervisor's own start.
fn unit(path: &Path, kept: &Kept) -> String {
    let Kept { name, cpus, memory, .. } = kept;
    let path = path.display().to_string().replace('%', "%%");
    let limits = match kept.accelerator {
        // A container has no memory and no processors of its own: its limits are those of the unit.
        Accelerator::Nspawn => format!("Delegate=yes\nMemoryMax={memory}M\nCPUQuota={}%\n", cpus * 100),
        Accelerator::Kvm | Accelerator::Tcg => String::new(),
    };
    format!(
        "[Unit]
Description=Machine {name} (debrole)
Wants=network-online.target
After=network-online.target
ConditionPathExists={path}/start

[Service]
Type=exec
ExecStart=\"{path}/start\"
ExecStop=\"{path}/stop\"
KillMode=mixed
TimeoutStopSec=150
{limits}
[Install]
WantedBy=multi-user.target
"
    )
}

/// The beginning of each script `start`: the lock on descriptor 9, what is written to descriptor 4 goes to the console's
/// log, which is kept small.
pub(super) fn preamble() -> String {
    format!(
        r#"#!/bin/sh
# Runs the machine in this directory. Written by debrole when it was placed.
set -e
umask 077
cd "${{0%/*}}"
exec </dev/null >start.log 2>&1
exec 9>lock
flock --exclusive --wait 10 9 || {{ echo "it runs already"; exit 1; }}
rm -f console.pipe
mkfifo console.pipe
# All ends are open before its name goes: what runs in the background may come to it late.
exec 3<>console.pipe
exec 4>console.pipe 5<console.pipe 3>&-
rm console.pipe
perl keep_console.pl console.log {} <&5 4>&- 5<&- 9>&- &
exec 5<&-
"#,
        CONSOLE_LIMIT / 2
    )
}

pub(super) const KEEP_CONSOLE: &str = include_str!("keep_console.pl");

/// A word for sh(1).
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,@+%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// What systemd-analyze(1) says about the unit in this directory; nothing where it is right.
    fn verified(directory: &Path, text: &str) -> String {
        let file = directory.join("debrole-test.service");
        std::fs::write(&file, text).expect("writable");
        let verify = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file);
        let output = verify.limit(Duration::from_secs(60)).run().expect("systemd-analyze is there");
        let said = output.stderr_text();
        assert_eq!(output.success(), said.is_empty(), "{said}");
        said
    }

    #[test]
    fn systemd_takes_the_units_of_machines_wherever_they_are() {
        // It comes with systemd, which is not everywhere.
        if Command::new("systemd-analyze").arg("--version").run().is_err() {
            return;
        }
        let scratch = tempfile::tempdir().expect("a temporary directory");
        let path = scratch.path().join("100% my machines");
        std::fs::create_dir(&path).expect("it is new");
        for program in ["start", "stop"] {
            std::fs::write(path.join(program), "#!/bin/sh\n").expect("writable");
            std::fs::set_permissions(path.join(program), PermissionsExt::from_mode(0o755)).expect("ours");
        }
        for accelerator in [Accelerator::Tcg, Accelerator::Nspawn] {
            let kept = Kept {
                fleet: "pg Example".to_owned(),
                name: "m1.example.org".to_owned(),
                accelerator,
                cpus: 2,
                memory: 512,
                macs: vec![],
                autostart: true,
            };
            assert_eq!(verified(scratch.path(), &unit(&path, &kept)), "");
            let elsewhere = unit(&scratch.path().join("nowhere"), &kept);
            assert!(verified(scratch.path(), &elsewhere).contains("nowhere/start is not executable"));
        }
    }
}
