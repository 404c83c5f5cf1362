//! Machines that libvirt runs, on this machine (`qemu:///system`) or another (`qemu+ssh://kvm1.example.org/system`),
//! through virsh(1).
//!
//! A domain is ours by the mark in its metadata, a volume by its name: `<machine>-<disk>-<fleet><domain>.img`, where the
//! last two are the beginnings of a hash of the fleet and of the domain's UUID. So what was set aside keeps its own.

mod console;
mod place;
mod prove;
mod volumes;

use self::console::Console;
use self::place::LOGS;
use super::domain::{self, Domain, Mark};
use super::{ASIDE, Entry, Form, FormKind, Hypervisor, RunError, State, Stop, aside, local, suits};
use crate::exec::{Command, ExecError};
use crate::provision::console::ConsoleLines;
use crate::provision::probe::{self, Proof};
use crate::provision::{Accelerator, Firmware, Machine, Progress};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a domain whose plug was pulled may take.
const END: Duration = Duration::from_secs(60);

/// libvirt, by a connection's URI.
pub struct Libvirt {
    uri: String,
    pool: String,
    fleet: String,
}

/// A domain as it is defined.
struct Found {
    xml: String,
    mark: Option<Mark>,
}

impl Libvirt {
    /// `pool` is the storage pool (a directory's) for the disks: `default`, unless there is reason for another. `fleet`
    /// tells the fleet's machines from others.
    pub fn new(uri: &str, pool: &str, fleet: &str) -> Libvirt {
        Libvirt { uri: uri.to_owned(), pool: pool.to_owned(), fleet: fleet.to_owned() }
    }

    pub fn uri(&self) -> &str {
        &self.uri
    }

    fn virsh(&self, arguments: &[&str]) -> Command {
        Command::new("virsh").args(["-q", "-c", &self.uri]).args(arguments)
    }

    /// What virsh(1) writes for this command; its own words are the reason where it refuses.
    pub(in crate::provision) fn ask(&self, what: &str, arguments: &[&str]) -> Result<String, RunError> {
        self.carry_out(what, &self.virsh(arguments))
    }

    fn carry_out(&self, what: &str, command: &Command) -> Result<String, RunError> {
        match command.run_ok() {
            Ok(output) => Ok(output.stdout_text()),
            Err(ExecError::Failed { output, .. }) => {
                let words = output.stderr_text();
                let words: Vec<&str> = words
                    .lines()
                    .map(|line| line.trim_start_matches("error: ").trim())
                    .filter(|l| !l.is_empty())
                    .collect();
                Err(RunError::Other {
                    what: what.to_owned(),
                    reason: format!("{}: {}", self.describe(), words.join(": ")),
                })
            }
            Err(source) => Err(RunError::Exec { what: what.to_owned(), source }),
        }
    }

    fn names(&self) -> Result<Vec<String>, RunError> {
        let text = self.ask("list the machines", &["list", "--all", "--name"])?;
        Ok(text.lines().map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }

    fn described(&self, name: &str) -> Result<Found, RunError> {
        let xml = self.ask(&format!("read \"{name}\""), &["dumpxml", "--inactive", "--domain", name])?;
        Ok(Found { mark: domain::mark(&xml), xml })
    }

    fn find(&self, name: &str) -> Result<Option<Found>, RunError> {
        match self.names()?.iter().any(|other| other == name) {
            true => self.described(name).map(Some),
            false => Ok(None),
        }
    }

    fn ours(&self, name: &str) -> Result<(Found, Mark), RunError> {
        let (name_, on) = (name.to_owned(), self.describe());
        let found = self.find(name)?.ok_or(RunError::Absent { name: name_.clone(), on: on.clone() })?;
        match found.mark.clone() {
            Some(mark) if mark.fleet == self.fleet => Ok((found, mark)),
            _ => Err(RunError::NotOurs { name: name_, on }),
        }
    }

    fn running(&self, name: &str) -> Result<bool, RunError> {
        let state = self.ask(&format!("ask for the state of \"{name}\""), &["domstate", "--domain", name])?;
        Ok(!matches!(state.trim(), "shut off" | "crashed"))
    }

    /// Waits until the domain is off; whether that came in time.
    fn wait_until_off(&self, name: &str, limit: Duration) -> Result<bool, RunError> {
        let started = Instant::now();
        while self.running(name)? {
            if started.elapsed() > limit {
                return Ok(false);
            }
            std::thread::sleep(Duration::from_millis(250));
        }
        Ok(true)
    }

    fn end(&self, name: &str) -> Result<(), RunError> {
        if !self.running(name)? {
            return Ok(());
        }
        let destroyed = self.ask(&format!("stop \"{name}\""), &["destroy", "--domain", name]);
        // It may have ended by itself in between.
        match self.wait_until_off(name, END)? {
            true => Ok(()),
            false => destroyed.and(Err(RunError::DoesNotStop { name: name.to_owned(), limit: END })),
        }
    }

    /// Removes the domain of this name, and the disks of its machine that no domain has.
    fn remove_under(&self, name: &str) -> Result<(), RunError> {
        match self.ours(name) {
            Ok((found, _)) => {
                self.end(name)?;
                let mut undefine = vec!["undefine", "--domain", name, "--managed-save", "--snapshots-metadata"];
                if domain::text(&found.xml, "nvram").is_some() {
                    undefine.push("--nvram");
                }
                self.ask(&format!("remove \"{name}\""), &undefine)?;
                self.remove_logs(name, &domain::values(&found.xml, "log", "file"));
            }
            Err(RunError::Absent { .. }) => {}
            Err(error) => return Err(error),
        }
        let host = name.strip_suffix(ASIDE).unwrap_or(name);
        let pools = self.ask("list the storage pools", &["pool-list", "--name"])?;
        if !pools.lines().any(|pool| pool.trim() == self.pool) {
            return Ok(());
        }
        // What is still some domain's: of this host's other one.
        let mut used = Vec::new();
        for other in [host.to_owned(), aside(host)] {
            if let Some(found) = self.find(&other)? {
                used.extend(domain::values(&found.xml, "source", "file"));
            }
        }
        let (head, middle) = (format!("{host}-"), format!("-{}", self.token()));
        for volume in self.volumes()? {
            let file = format!("/{volume}");
            // After the fleet's part: 8 digits of the domain's and ".img".
            let end = volume.len().saturating_sub(".img".len() + 8);
            let ours = volume.starts_with(&head) && volume.get(..end).is_some_and(|v| v.ends_with(&middle));
            if ours && !used.iter().any(|path| path.ends_with(&file)) {
                self.delete(&volume)?;
            }
        }
        Ok(())
    }

    /// Follows the console of a domain, which is started meanwhile: paused until somebody listens.
    fn listen(&self, name: &str) -> Result<Console, RunError> {
        let io = |source: std::io::Error| RunError::Other {
            what: format!("follow the console of \"{name}\""),
            reason: source.to_string(),
        };
        let mut console = Console::open(&self.uri, name).map_err(io)?;
        console.wait_until_connected();
        Ok(console)
    }

    fn start_paused(&self, name: &str) -> Result<Console, RunError> {
        let failed = |error: RunError| RunError::DoesNotStart {
            name: name.to_owned(),
            on: self.describe(),
            reason: match error {
                RunError::Other { reason, .. } => reason,
                error => error.to_string(),
            },
        };
        self.ask("start", &["start", "--paused", "--domain", name]).map_err(failed)?;
        let console = self.listen(name)?;
        self.ask("start", &["resume", "--domain", name]).map_err(failed)?;
        Ok(console)
    }
}

fn uuid() -> Result<String, RunError> {
    let path = "/proc/sys/kernel/random/uuid";
    std::fs::read_to_string(path).map(|uuid| uuid.trim().to_owned()).map_err(RunError::io("read", path))
}

impl Hypervisor for Libvirt {
    fn describe(&self) -> String {
        // Without what a person gave for ssh's sake.
        format!("libvirt at {}", self.uri.split('?').next().unwrap_or_default())
    }

    fn form(&self) -> FormKind {
        FormKind::Disks
    }

    fn accelerators(&self) -> Vec<Accelerator> {
        vec![Accelerator::Kvm, Accelerator::Tcg]
    }

    fn prove_kvm(&self, kernel: Option<&Path>) -> Proof {
        let broken = |error: RunError| Proof::Broken { why: error.to_string() };
        match self.ask("ask what it can do", &["capabilities"]) {
            Ok(text) if text.contains("<domain type='kvm'") => {}
            Ok(_) => return Proof::Missing { why: format!("{} offers none", self.describe()) },
            Err(error) => return broken(error),
        }
        if let Err(error) = self.pool() {
            return broken(error);
        }
        match self.prove(probe::SECTOR_LIMIT, None) {
            Ok(Proof::Works) => {}
            Ok(proof) => return proof,
            Err(error) => return broken(error),
        }
        match kernel {
            Some(kernel) => self.prove(probe::KERNEL_LIMIT, Some(kernel)).unwrap_or_else(broken),
            None => Proof::Half,
        }
    }

    fn free(&self, machine: &Machine) -> Result<(), Vec<RunError>> {
        let mut wrong = Vec::new();
        let (name, on) = (machine.name.clone(), self.describe());
        let names = match self.names() {
            Ok(names) => names,
            Err(error) => return Err(vec![error]),
        };
        for other in &names {
            // One that goes meanwhile takes nothing.
            let Ok(Found { xml, mark }) = self.described(other) else { continue };
            let ours = mark.as_ref().is_some_and(|mark| mark.fleet == self.fleet);
            if *other == machine.name {
                let (name, on) = (name.clone(), on.clone());
                wrong.push(if ours {
                    RunError::NameTaken { name, on }
                } else {
                    RunError::NameTakenByOthers { name, on }
                });
                continue;
            }
            // What was set aside for this very machine never runs beside it.
            if ours && *other == aside(&machine.name) {
                continue;
            }
            let macs: Vec<String> = domain::values(&xml, "mac", "address").iter().map(|m| m.to_lowercase()).collect();
            let taken = machine.networks.iter().filter(|network| macs.contains(&network.mac));
            wrong.extend(taken.map(|n| RunError::MacTaken { mac: n.mac.clone(), by: other.clone(), on: on.clone() }));
        }
        // Who may not run programs there is told when the machine is started.
        if let Some(bridges) = self.bridges() {
            let missing = machine.networks.iter().filter(|n| !n.bridge.is_empty() && !bridges.contains(&n.bridge));
            wrong.extend(missing.map(|network| RunError::NoBridge {
                bridge: network.bridge.clone(),
                on: on.clone(),
                bridges: bridges.clone(),
            }));
        }
        match self.room() {
            Ok(free) => {
                let needed = machine.disks.iter().map(|disk| disk.size).sum();
                if let Some(free) = free.filter(|free| needed > *free) {
                    let place = format!("the storage pool \"{}\" of {on}", self.pool);
                    wrong.push(RunError::NoSpace { needed, free, place });
                }
            }
            Err(error) => wrong.push(error),
        }
        if machine.firmware == Firmware::Uefi {
            match self.ask("ask for its firmware", &["domcapabilities", "--arch", "x86_64", "--machine", "q35"]) {
                Ok(text) if text.contains("<value>efi</value>") => {}
                Ok(_) => wrong.push(RunError::NoFirmware { name, on }),
                Err(error) => wrong.push(error),
            }
        }
        wrong.extend(local::answering(machine));
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
        if let Some(found) = self.find(&machine.name)? {
            let (name, on) = (machine.name.clone(), self.describe());
            let ours = found.mark.is_some_and(|mark| mark.fleet == self.fleet);
            return Err(if ours { RunError::NameTaken { name, on } } else { RunError::NameTakenByOthers { name, on } });
        }
        self.pool()?;
        let uuid = uuid()?;
        let mark =
            Mark { fleet: self.fleet.clone(), host: machine.name.clone(), accelerator, autostart: machine.autostart };
        let mut volumes: Vec<String> = Vec::new();
        let mut defined = false;
        let mut make = || -> Result<(), RunError> {
            let mut disks = Vec::new();
            for image in form.images() {
                let volume = format!("{}-{}{}", machine.name, image.disk, self.tail(&uuid));
                let size = std::fs::metadata(&image.path).map_err(RunError::io("read", &image.path))?.len();
                progress.say(&format!("disk \"{}\" to {}", image.disk, self.describe()));
                volumes.push(volume.clone());
                disks.push(self.upload(&volume, &image.path, size)?);
            }
            let log = log_file(&machine.name, &uuid);
            let xml = Domain::of(machine, &uuid, &mark, &disks, log).xml();
            let mut file =
                tempfile::NamedTempFile::new().map_err(RunError::io("write", "the machine's description"))?;
            std::io::Write::write_all(&mut file, xml.as_bytes()).map_err(RunError::io("write", file.path()))?;
            let what = format!("define \"{}\"", machine.name);
            self.ask(&what, &["define", "--file", &file.path().display().to_string(), "--validate"])?;
            defined = true;
            if machine.autostart {
                self.ask(&what, &["autostart", "--domain", &machine.name])?;
            }
            Ok(())
        };
        let made = make();
        if made.is_err() {
            if defined {
                let _ = self.ask("remove it again", &["undefine", "--domain", &machine.name, "--nvram"]);
            }
            for volume in volumes {
                let _ = self.delete(&volume);
            }
            return made;
        }
        // They are there now; here they would only take room.
        for image in form.images() {
            let _ = std::fs::remove_file(&image.path);
        }
        Ok(())
    }

    fn start(&self, name: &str) -> Result<Box<dyn ConsoleLines>, RunError> {
        self.ours(name)?;
        let console = if self.running(name)? { self.listen(name)? } else { self.start_paused(name)? };
        Ok(Box::new(console))
    }

    fn stop(&self, name: &str, how: Stop) -> Result<(), RunError> {
        self.ours(name)?;
        let Stop::Gracefully { limit } = how else { return self.end(name) };
        let started = Instant::now();
        while self.running(name)? {
            if started.elapsed() > limit {
                return Err(RunError::DoesNotStop { name: name.to_owned(), limit });
            }
            // Again and again: a guest that is still booting does not hear it. It may be off by now, too.
            let _ = self.ask("stop it", &["shutdown", "--mode", "acpi", "--domain", name]);
            self.wait_until_off(name, Duration::from_secs(10).min(limit))?;
        }
        Ok(())
    }

    fn state(&self, name: &str) -> Result<State, RunError> {
        match self.ours(name) {
            Ok(_) => Ok(if self.running(name)? { State::Running } else { State::Off }),
            Err(RunError::Absent { .. } | RunError::NotOurs { .. }) => Ok(State::Absent),
            Err(error) => Err(error),
        }
    }

    fn attach(&self, name: &str) -> Result<(), RunError> {
        self.ours(name)?;
        if !self.running(name)? {
            return Err(RunError::DoesNotRun { name: name.to_owned() });
        }
        let status = std::process::Command::new("virsh").args(["-c", &self.uri, "console", name]).status();
        status.map(drop).map_err(|source| RunError::Other {
            what: format!("open the console of \"{name}\""),
            reason: source.to_string(),
        })
    }

    fn log(&self, name: &str) -> String {
        let file = self.find(name).ok().flatten().and_then(|found| domain::values(&found.xml, "log", "file").pop());
        let file = file.unwrap_or_else(|| LOGS.to_owned());
        match self.remote() {
            Some(host) => format!("{file} on {host}"),
            None => file,
        }
    }

    fn remove(&self, name: &str) -> Result<(), RunError> {
        self.remove_under(name)
    }

    fn list(&self) -> Result<Vec<Entry>, RunError> {
        let mut entries = Vec::new();
        for name in self.names()? {
            let found = self.described(&name)?;
            let Some(mark) = found.mark.filter(|mark| mark.fleet == self.fleet && mark.host == name) else { continue };
            if name.starts_with("debrole-probe-") {
                continue;
            }
            let state = if self.running(&name)? { State::Running } else { State::Off };
            let number = |element| domain::text(&found.xml, element).and_then(|text| text.trim().parse::<u64>().ok());
            // libvirt writes memory in KiB, whatever it was given in.
            let (cpus, memory) = (number("vcpu").unwrap_or(0) as u32, number("memory").unwrap_or(0) / 1024);
            entries.push(Entry { name, state, accelerator: mark.accelerator, cpus, memory });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn set_aside(&self, name: &str) -> Result<(), RunError> {
        self.ours(name)?;
        let aside = aside(name);
        if self.find(&aside)?.is_some() {
            return Err(RunError::AsideTaken { name: name.to_owned(), on: self.describe() });
        }
        if self.stop(name, Stop::Gracefully { limit: Duration::from_secs(90) }).is_err() {
            self.end(name)?;
        }
        let what = format!("set \"{name}\" aside");
        self.ask(&what, &["autostart", "--disable", "--domain", name])?;
        self.ask(&what, &["domrename", "--domain", name, &aside]).map(drop)
    }

    fn bring_back(&self, name: &str) -> Result<(), RunError> {
        let (_, mark) = self.ours(&aside(name))?;
        if let Some(found) = self.find(name)? {
            let (name, on) = (name.to_owned(), self.describe());
            let ours = found.mark.is_some_and(|mark| mark.fleet == self.fleet);
            return Err(if ours { RunError::NameTaken { name, on } } else { RunError::NameTakenByOthers { name, on } });
        }
        let what = format!("bring \"{name}\" back");
        self.ask(&what, &["domrename", "--domain", &aside(name), name])?;
        if mark.autostart { self.ask(&what, &["autostart", "--domain", name]).map(drop) } else { Ok(()) }
    }

    fn drop_aside(&self, name: &str) -> Result<(), RunError> {
        self.remove_under(&aside(name))
    }
}

fn log_file(name: &str, uuid: &str) -> String {
    format!("{LOGS}/{name}-{}.console.log", &uuid[..8])
}
