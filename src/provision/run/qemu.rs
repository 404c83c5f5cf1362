//! Machines that QEMU runs on this machine, without libvirt: one directory and one process each.

use super::kept::{self, Directory, Draft, quoted};
use super::own::Own;
use super::{Form, FormKind, RunError, TRANSLATED, qmp};
use crate::exec::Command;
use crate::provision::image::Image;
use crate::provision::probe::{self, Proof};
use crate::provision::terminal;
use crate::provision::{Accelerator, Firmware, Machine, Progress};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where Debian's ovmf package has the firmware, and its variables as they come.
const UEFI: [&str; 2] = ["/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"];

/// How long a QEMU that was told to go may take.
const END: Duration = Duration::from_secs(30);

const QMP: &str = "qmp.sock";
const CONSOLE: &str = "console.sock";

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

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path(name)
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

/// The images of a machine, each with its name in the machine's directory.
fn files(form: &Form) -> Vec<(&Image, String)> {
    form.images().iter().map(|image| (image, format!("disk-{}.img", image.disk))).collect()
}

impl Own for Qemu {
    const FORM: FormKind = FormKind::Disks;
    const ACCELERATORS: &'static [Accelerator] = &[Accelerator::Kvm, Accelerator::Tcg];
    const AGAIN: Duration = Duration::from_secs(10);

    fn directory(&self) -> &Directory {
        &self.directory
    }

    fn proof(&self, kernel: Option<&Path>) -> Proof {
        probe::prove_kvm(&self.program, kernel)
    }

    fn lacks(&self, machine: &Machine) -> Option<RunError> {
        let there = machine.firmware != Firmware::Uefi || UEFI.iter().all(|file| Path::new(file).exists());
        (!there).then(|| RunError::NoFirmware { name: machine.name.clone(), on: self.directory.on.clone() })
    }

    fn fill(&self, draft: &Draft<'_>, machine: &Machine, form: &Form, progress: &dyn Progress) -> Result<(), RunError> {
        for (image, file) in files(form) {
            progress.say(&format!("disk \"{}\" to {}", image.disk, self.directory.root.display()));
            draft.take(&image.path, &file)?;
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
        draft.write("stop", include_str!("stop_qemu.pl"), 0o700)
    }

    fn script(&self, machine: &Machine, accelerator: Accelerator, form: &Form) -> String {
        let disks = files(form).into_iter().map(|(_, file)| file);
        let token = &self.directory.token(&machine.name)[..10];
        // In an option's value a comma is written twice.
        let name = machine.name.replace(',', ",,");
        let mut arguments: Vec<String> = Vec::new();
        let mut add = |words: &[&str]| arguments.extend(words.iter().map(|word| quoted(word)));
        add(&["-name", &format!("guest={name}"), "-nodefaults", "-no-user-config", "-machine", "q35"]);
        match accelerator {
            Accelerator::Kvm => add(&["-accel", "kvm", "-cpu", "host"]),
            Accelerator::Tcg | Accelerator::Nspawn => {
                let has = TRANSLATED.has.iter().map(|feature| format!(",+{feature}"));
                let features: String =
                    has.chain(TRANSLATED.lacks.iter().map(|feature| format!(",-{feature}"))).collect();
                add(&["-accel", "tcg,thread=multi", "-cpu", &format!("{}{features}", TRANSLATED.model)]);
            }
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
        for (n, disk) in disks.enumerate() {
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

    fn runs(&self, name: &str) -> bool {
        self.directory.runs(name)
    }

    fn runs_in(path: &Path) -> bool {
        kept::runs(path)
    }

    fn run(&self, name: &str, _: &dyn Fn() -> String) -> Result<(), RunError> {
        let path = self.path(name);
        self.directory.start(name, || qmp::command(&path, QMP, "query-status").is_ok())
    }

    fn press(&self, name: &str) -> Result<(), RunError> {
        // It may be off by now.
        let _ = qmp::command(&self.path(name), QMP, "system_powerdown");
        Ok(())
    }

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

    fn clear(&self, _: &str) {}

    fn connect(&self, name: &str) -> Result<(), RunError> {
        let path = self.path(name);
        let socket = qmp::connect(&path, CONSOLE).map_err(RunError::io("connect with", path.join(CONSOLE)))?;
        terminal::connect(&socket).map_err(RunError::io("connect the terminal with", path.join(CONSOLE)))
    }
}

/// Which QEMU this is, for a person: `QEMU emulator version 7.2.22 (Debian …)`.
pub fn version(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").limit(Duration::from_secs(20)).run_ok().ok()?;
    output.stdout_text().lines().next().map(str::to_owned)
}
