//! Machines that QEMU runs on this machine, without libvirt: one directory and one process each.

use super::kept::{self, Directory, KEEP_CONSOLE, quoted};
use super::{Entry, Form, FormKind, Hypervisor, RunError, State, Stop, aside, local, qmp};
use crate::exec::Command;
use crate::provision::console::{ConsoleLines, Follow};
use crate::provision::probe::{self, Proof};
use crate::provision::terminal;
use crate::provision::{Accelerator, Firmware, Machine, Progress};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where Debian's ovmf package has the firmware, and its variables as they come.
const UEFI: [&str; 2] = ["/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"];

/// How long a QEMU that was told to go may take.
const END: Duration = Duration::from_secs(30);

const QMP: &str = "qmp.sock";
const CONSOLE: &str = "console.sock";
const LOG: &str = "console.log";

/// QEMU on this machine. Needs root where a machine has a bridge.
pub struct Qemu {
    directory: Directory,
    program: String,
}

impl Qemu {
    /// `root` is the directory of its machines, its own alone; `fleet` tells those of this fleet from others in it.
    pub fn new(root: &Path, fleet: &str) -> Qemu {
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        let directory = Directory::new(&root, fleet, "QEMU on this machine");
        Qemu { directory, program: "qemu-system-x86_64".to_owned() }
    }

    /// Another QEMU than the one on the path.
    pub fn with_program(self, program: &str) -> Qemu {
        Qemu { program: program.to_owned(), ..self }
    }

    fn script(&self, machine: &Machine, accelerator: Accelerator, disks: &[String]) -> String {
        let token = &self.directory.token(&machine.name)[..10];
        // In an option's value a comma is written twice.
        let name = machine.name.replace(',', ",,");
        let mut arguments: Vec<String> = Vec::new();
        let mut add = |words: &[&str]| arguments.extend(words.iter().map(|word| quoted(word)));
        add(&["-name", &format!("guest={name}"), "-nodefaults", "-no-user-config", "-machine", "q35"]);
        match accelerator {
            Accelerator::Kvm => add(&["-accel", "kvm", "-cpu", "host"]),
            Accelerator::Tcg | Accelerator::Nspawn => add(&["-accel", "tcg,thread=multi", "-cpu", "max"]),
        }
        add(&["-smp", &machine.cpus.to_string(), "-m", &format!("{}M", machine.memory)]);
        // A screen that nobody sees: Debian's GRUB does not start without.
        add(&["-display", "none", "-device", "VGA", "-monitor", "none"]);
        add(&["-qmp", &format!("unix:{QMP},server=on,wait=off")]);
        let console = format!("socket,id=console,path={CONSOLE},server=on,wait=off");
        add(&["-chardev", &format!("{console},logfile=/proc/self/fd/4,logappend=on"), "-serial", "chardev:console"]);
        add(&["-device", "virtio-rng-pci", "-device", "virtio-balloon-pci"]);
        if machine.firmware == Firmware::Uefi {
            add(&["-drive", &format!("if=pflash,format=raw,unit=0,readonly=on,file={}", UEFI[0])]);
            add(&["-drive", "if=pflash,format=raw,unit=1,file=vars.fd"]);
        }
        for (n, disk) in disks.iter().enumerate() {
            add(&["-drive", &format!("if=none,id=disk{n},format=raw,discard=unmap,file={disk}")]);
            add(&["-device", &format!("virtio-blk-pci,drive=disk{n},serial=disk{n},bootindex={}", n + 1)]);
        }
        for (n, network) in machine.networks.iter().enumerate() {
            match network.bridge.as_str() {
                "" => add(&["-netdev", &format!("user,id=net{n}")]),
                _ => add(&["-netdev", &format!("tap,id=net{n},ifname=dt{token}n{n},script=./plug-{n},downscript=no")]),
            }
            add(&["-device", &format!("virtio-net-pci,netdev=net{n},mac={}", network.mac)]);
        }
        add(&["-sandbox", "on,obsolete=deny,elevateprivileges=deny,resourcecontrol=deny"]);
        let mut script = kept::preamble();
        // Field 22 of proc_pid_stat(5): with the number it names this process and no later one.
        script.push_str("echo \"$$ $(cut -d' ' -f22 /proc/$$/stat)\" >process\n");
        script.push_str(&format!("exec {} \\\n", quoted(&self.program)));
        script.push_str(&arguments.join(" "));
        script.push('\n');
        script
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path(name)
    }

    /// Ends the machine's QEMU, whatever state it is in.
    fn end(&self, name: &str) -> Result<(), RunError> {
        let path = self.path(name);
        if !kept::runs(&path) {
            return Ok(());
        }
        // Politely first: it writes back what its disks hold in memory.
        let quit = qmp::command(&path, QMP, "quit").is_ok();
        if quit && Directory::wait(END, || !kept::runs(&path)) {
            return Ok(());
        }
        if let Some(process) = process(&path) {
            // An error means that it has gone.
            let _ = pidfd_send_signal(&process, Signal::KILL);
        }
        match Directory::wait(END, || !kept::runs(&path)) {
            true => Ok(()),
            false => Err(RunError::DoesNotStop { name: name.to_owned(), limit: END }),
        }
    }

    fn remove_under(&self, name: &str) -> Result<(), RunError> {
        match self.directory.ours(name) {
            Ok(_) => self.end(name)?,
            Err(RunError::Absent { .. }) => {}
            Err(error) => return Err(error),
        }
        self.directory.remove(name)
    }
}

/// The process that runs the machine in this directory, if it is still the one that was written down.
fn process(path: &Path) -> Option<std::os::fd::OwnedFd> {
    let text = std::fs::read_to_string(path.join("process")).ok()?;
    let (number, since) = text.trim().split_once(' ')?;
    let pid = Pid::from_raw(number.parse().ok()?)?;
    let process = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    // Read after it was opened: if it is the right one now, the descriptor can't be of another.
    let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    // After the name, which may hold anything: field 3 and those that follow.
    let field = stat.rsplit_once(')')?.1.split_whitespace().nth(22 - 3)?;
    (field == since).then_some(process)
}

impl Hypervisor for Qemu {
    fn describe(&self) -> String {
        self.directory.on.clone()
    }

    fn form(&self) -> FormKind {
        FormKind::Disks
    }

    fn accelerators(&self) -> Vec<Accelerator> {
        vec![Accelerator::Kvm, Accelerator::Tcg]
    }

    fn prove_kvm(&self, kernel: Option<&Path>) -> Proof {
        probe::prove_kvm(&self.program, kernel)
    }

    fn free(&self, machine: &Machine) -> Result<(), Vec<RunError>> {
        let mut wrong = self.directory.taken(machine);
        wrong.extend(local::networks(machine, &self.directory.on));
        wrong.extend(local::room(machine, &self.directory.root));
        wrong.extend(local::answering(machine));
        if machine.firmware == Firmware::Uefi && !UEFI.iter().all(|file| Path::new(file).exists()) {
            wrong.push(RunError::NoFirmware { name: machine.name.clone(), on: self.directory.on.clone() });
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    fn place(
        &self,
        machine: &Machine,
        accelerator: Accelerator,
        form: &Form,
        progress: &dyn Progress,
    ) -> Result<(), RunError> {
        let on = || self.directory.on.clone();
        let Form::Disks(images) = form else {
            return Err(RunError::Form { on: on(), wanted: "disks", given: "a directory" });
        };
        if !self.accelerators().contains(&accelerator) {
            return Err(RunError::Accelerator { on: on(), wanted: accelerator, can: self.accelerators() });
        }
        let draft = self.directory.draft(machine, accelerator)?;
        let mut disks = Vec::new();
        for image in images {
            let file = format!("disk-{}.img", image.disk);
            progress.say(&format!("disk \"{}\" to {}", image.disk, self.directory.root.display()));
            draft.take(&image.path, &file)?;
            disks.push(file);
        }
        if machine.firmware == Firmware::Uefi {
            let to = draft.path.join("vars.fd");
            std::fs::copy(UEFI[1], &to).map_err(RunError::io("copy the firmware's variables to", to))?;
        }
        for (n, network) in machine.networks.iter().enumerate().filter(|(_, network)| !network.bridge.is_empty()) {
            // What QEMU runs with the name of the tap interface that it has made, which goes with it.
            let plug = format!("#!/bin/sh\nexec ip link set dev \"$1\" master {} up\n", quoted(&network.bridge));
            draft.write(&format!("plug-{n}"), &plug, 0o700)?;
        }
        draft.write("keep_console.pl", KEEP_CONSOLE, 0o600)?;
        draft.write("stop", include_str!("stop_qemu.pl"), 0o700)?;
        draft.write(LOG, "", 0o600)?;
        draft.write("start", &self.script(machine, accelerator, &disks), 0o700)?;
        draft.finish()
    }

    fn start(&self, name: &str) -> Result<Box<dyn ConsoleLines>, RunError> {
        self.directory.ours(name)?;
        let path = self.path(name);
        let log = path.join(LOG);
        let from = std::fs::metadata(&log).map_or(0, |metadata| metadata.len());
        let follow = {
            let path = path.clone();
            Follow::new(&log, from, Box::new(move || kept::runs(&path)))
        };
        if !kept::runs(&path) {
            let up = || qmp::command(&path, QMP, "query-status").is_ok();
            if let Err(error) = self.directory.start(name, up) {
                // One that hangs before it answers would hold the lock for ever.
                let _ = self.end(name);
                return Err(error);
            }
        }
        Ok(Box::new(follow))
    }

    fn stop(&self, name: &str, how: Stop) -> Result<(), RunError> {
        self.directory.ours(name)?;
        let path = self.path(name);
        let Stop::Gracefully { limit } = how else { return self.end(name) };
        let started = Instant::now();
        while kept::runs(&path) {
            if started.elapsed() > limit {
                return Err(RunError::DoesNotStop { name: name.to_owned(), limit });
            }
            // Again and again: a guest that is still booting does not hear it.
            let _ = qmp::command(&path, QMP, "system_powerdown");
            Directory::wait(Duration::from_secs(10).min(limit), || !kept::runs(&path));
        }
        Ok(())
    }

    fn state(&self, name: &str) -> Result<State, RunError> {
        match self.directory.ours(name) {
            Ok(_) if self.directory.runs(name) => Ok(State::Running),
            Ok(_) => Ok(State::Off),
            Err(RunError::Absent { .. } | RunError::NotOurs { .. }) => Ok(State::Absent),
            Err(error) => Err(error),
        }
    }

    fn attach(&self, name: &str) -> Result<(), RunError> {
        self.directory.ours(name)?;
        let path = self.path(name);
        if !kept::runs(&path) {
            return Err(RunError::DoesNotRun { name: name.to_owned() });
        }
        let socket = qmp::connect(&path, CONSOLE).map_err(RunError::io("connect with", path.join(CONSOLE)))?;
        terminal::connect(&socket).map_err(RunError::io("connect the terminal with", path.join(CONSOLE)))
    }

    fn log(&self, name: &str) -> String {
        self.path(name).join(LOG).display().to_string()
    }

    fn remove(&self, name: &str) -> Result<(), RunError> {
        self.remove_under(name)
    }

    fn list(&self) -> Result<Vec<Entry>, RunError> {
        self.directory.list(|name| self.state(name))
    }

    fn set_aside(&self, name: &str) -> Result<(), RunError> {
        self.directory.ours(name)?;
        if self.stop(name, Stop::Gracefully { limit: Duration::from_secs(90) }).is_err() {
            self.end(name)?;
        }
        self.directory.set_aside(name)
    }

    fn bring_back(&self, name: &str) -> Result<(), RunError> {
        self.directory.bring_back(name)
    }

    fn drop_aside(&self, name: &str) -> Result<(), RunError> {
        self.remove_under(&aside(name))
    }
}

/// Which QEMU this is, for a person: `QEMU emulator version 7.2.22 (Debian …)`.
pub fn version(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").limit(Duration::from_secs(20)).run_ok().ok()?;
    output.stdout_text().lines().next().map(str::to_owned)
}
