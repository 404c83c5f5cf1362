//! `debrole vm …` and `debrole hypervisor check`: what was made from here, and what could be.

use super::make;
use super::places::{SOCKETS, Whereabouts};
use super::site::{self, Site};
use crate::cli::{Global, Hypervisor, Vm};
use crate::commands::{Failure, Outcome};
use crate::reporter::Reporter;
use anyhow::anyhow;
use debrole::exec;
use debrole::provision::Accelerator;
use debrole::provision::probe::{self, Proof};
use debrole::provision::record::Listed;
use debrole::provision::run::libvirt::Libvirt;
use debrole::provision::run::{Hypervisor as _, State as Runs, Stop, qemu};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

pub fn vm(command: &Vm, global: &Global, reporter: &Reporter) -> Outcome {
    match command {
        Vm::List { stores } => {
            let (site, _) = Site::open(stores, global, reporter)?;
            list(&site)
        }
        Vm::Console(of) => {
            let (site, _) = Site::open(&of.stores, global, reporter)?;
            let hypervisor = site.whereabouts(&of.host)?.hypervisor;
            hypervisor.attach(&of.host).map_err(|error| anyhow!(error).into())
        }
        Vm::Log(of) => {
            let (site, _) = Site::open(&of.stores, global, reporter)?;
            let at = site.whereabouts(&of.host)?;
            log(&at, &of.host, reporter)
        }
        Vm::Start(of) => {
            let (site, _) = Site::open(&of.stores, global, reporter)?;
            let _lock = site.lock(&of.host, "debrole vm start")?;
            let hypervisor = site.whereabouts(&of.host)?.hypervisor;
            if hypervisor.state(&of.host).map_err(|error| anyhow!(error))? == Runs::Running {
                reporter.summary(format_args!("{} runs already", of.host));
                return Ok(());
            }
            hypervisor.start(&of.host).map_err(|error| anyhow!(error))?;
            reporter.summary(format_args!("{} is started; `debrole vm console {0}` shows its console", of.host));
            Ok(())
        }
        Vm::Stop { of, now, timeout } => {
            let (site, _) = Site::open(&of.stores, global, reporter)?;
            let _lock = site.lock(&of.host, "debrole vm stop")?;
            let hypervisor = site.whereabouts(&of.host)?.hypervisor;
            let how = match now {
                true => Stop::AtOnce,
                false => Stop::Gracefully { limit: Duration::from_secs(*timeout) },
            };
            let _busy = reporter.busy(format!("{} shuts down", of.host));
            hypervisor.stop(&of.host, how).map_err(|error| anyhow!(error))?;
            reporter.summary(format_args!("{} is off", of.host));
            Ok(())
        }
        Vm::Rebuild(args) => make::rebuild(args, global, reporter),
    }
}

/// The older part first. What another machine keeps is read there.
fn log(at: &Whereabouts, name: &str, reporter: &Reporter) -> Outcome {
    let place = at.hypervisor.log(name);
    let mut text = Vec::new();
    for path in [format!("{place}.1"), place.clone()] {
        match std::fs::read(&path) {
            Ok(bytes) => text.extend(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(anyhow!("can't read {path}: {error}").into()),
        }
    }
    if text.is_empty() {
        reporter.refusal(&format!("the console of {name} has said nothing that is kept here: it is in {place}"));
        return Err(Failure::Wrong);
    }
    reporter.bytes(&text)?;
    Ok(())
}

fn list(site: &Site<'_>) -> Outcome {
    let mut rows = vec![["machine", "state", "by", "on", "made"].map(str::to_owned)];
    let mut documents = Vec::new();
    for Listed { name, record } in site.state.records().map_err(anyhow::Error::new)? {
        let record = match record {
            Ok(record) if record.fleet.is(&site.fleet) => record,
            Ok(_) => continue,
            Err(fault) => {
                site.reporter.note(format_args!("{name}: {fault}"));
                documents.push(json!({ "name": name, "fault": fault.to_string() }));
                continue;
            }
        };
        let hypervisor = Whereabouts::of(&record.place, &site.state).hypervisor;
        let state = match hypervisor.state(&name) {
            Ok(Runs::Running) => "running".to_owned(),
            Ok(Runs::Off) => "off".to_owned(),
            Ok(Runs::Absent) => "gone".to_owned(),
            Err(error) => {
                site.reporter.note(format_args!("{name}: {error}"));
                "unknown".to_owned()
            }
        };
        let made = jiff::Timestamp::from_second(record.made);
        let made = made.map(|time| time.strftime("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default();
        documents.push(json!({
            "name": name, "state": state, "accelerator": record.accelerator, "hypervisor": hypervisor.describe(),
            "made": record.made, "addresses": record.addresses, "release": record.release,
        }));
        rows.push([name, state, record.accelerator, hypervisor.describe(), made]);
    }
    for name in site.state.unfinished().map_err(anyhow::Error::new)? {
        site.reporter.note(format_args!(
            "{name}: something is under way, or did not come to its end: `debrole deprovision {name}` takes it back"
        ));
        documents.push(json!({ "name": name, "unfinished": true }));
    }
    site.reporter.member("machines", documents);
    if rows.len() == 1 {
        site.reporter.summary("no machine was made from here");
        return Ok(());
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3, 4].map(width);
    for row in &rows {
        let line: String = row.iter().zip(widths).map(|(text, width)| format!("{text:width$}  ")).collect();
        site.reporter.result(line.trim_end());
    }
    Ok(())
}

/// One thing that a machine needs for running others, or not.
struct Finding {
    what: &'static str,
    /// Why not, or how.
    told: Result<String, String>,
}

/// Like a doctor's sheet: what works, and of what does not, why. It fails where nothing could run a machine.
pub fn hypervisor(command: &Hypervisor, global: &Global, reporter: &Reporter) -> Outcome {
    let Hypervisor::Check { host } = command;
    let (name, findings) = match host {
        None => {
            let _busy = reporter.busy("running guests");
            ("this machine".to_owned(), here())
        }
        Some(name) => {
            let places = crate::commands::load::places(global, reporter)?;
            let loaded = site::tree(&places, reporter)?;
            let model = loaded.model.as_ref().ok_or(Failure::Wrong)?;
            let host = site::host(model, name, reporter)?;
            let Some(hypervisor) = &host.hypervisor else {
                reporter.refusal(&format!("{name} runs no machines: give hosts/{name}.toml a [hypervisor]"));
                return Err(Failure::Wrong);
            };
            let _busy = reporter.busy(format!("asking {name}"));
            (name.clone(), at(&Libvirt::new(&hypervisor.uri, &hypervisor.pool, "")))
        }
    };
    reporter.result(format_args!("{name}:"));
    for Finding { what, told } in &findings {
        match told {
            Ok(how) => reporter.result(format_args!("  {what:9} yes  {how}")),
            Err(why) => reporter.result(format_args!("  {what:9} no   {why}")),
        }
    }
    let sheet: Vec<_> = findings
        .iter()
        .map(|finding| match &finding.told {
            Ok(how) => json!({ "what": finding.what, "works": true, "told": how }),
            Err(why) => json!({ "what": finding.what, "works": false, "told": why }),
        })
        .collect();
    reporter.member("machine", &name);
    reporter.member("sheet", sheet);
    let runs = |finding: &Finding| ["kvm", "tcg", "nspawn"].contains(&finding.what) && finding.told.is_ok();
    match findings.iter().any(runs) {
        true => Ok(()),
        false => Err(Failure::Wrong),
    }
}

fn proven(proof: Proof) -> Result<String, String> {
    match proof {
        Proof::Works => Ok("guests ran".to_owned()),
        other => Err(other.to_string()),
    }
}

fn here() -> Vec<Finding> {
    const QEMU: &str = "qemu-system-x86_64";
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flag =
        |flag: &str| processor.lines().any(|line| line.starts_with("flags") && line.split(' ').any(|f| f == flag));
    let processor = match (flag("vmx"), flag("svm")) {
        (true, _) => Ok("has vmx".to_owned()),
        (_, true) => Ok("has svm".to_owned()),
        _ => Err(
            "it has neither vmx nor svm: turn virtualization on in its firmware, or, where this is a guest itself, in \
                  its hypervisor"
                .to_owned(),
        ),
    };
    let device = probe::device(Path::new("/dev/kvm")).map(|()| "/dev/kvm opens".to_owned());
    let device = device.map_err(|why| format!("{why}: load kvm_intel or kvm_amd, or have root run debrole"));
    let qemu = qemu::version(QEMU).ok_or_else(|| "install it with: apt-get install qemu-system-x86".to_owned());
    let absent = || Err("there is no QEMU".to_owned());
    let (kvm, tcg) = match qemu.is_ok() {
        true => (proven(probe::prove_kvm(QEMU, None)), by_translation(QEMU)),
        false => (absent(), absent()),
    };
    let nspawn = exec::Command::new("systemd-nspawn").arg("--version").run_ok().map_err(|error| error.to_string());
    let nspawn = nspawn.and_then(|output| match rustix::process::geteuid().is_root() {
        true => Ok(output.stdout_text().lines().next().unwrap_or_default().to_owned()),
        false => Err("containers are root's to run".to_owned()),
    });
    let socket = SOCKETS.iter().find(|socket| Path::new(socket).exists());
    let libvirt = socket.map(|socket| format!("listens at {socket}")).ok_or_else(|| {
        "it does not run here (machines are then run by QEMU itself): apt-get install libvirt-daemon-system".to_owned()
    });
    let bridges = exec::Command::new("ip").args(["-o", "link", "show", "type", "bridge"]).run_ok();
    let bridges = bridges.map_err(|error| error.to_string()).and_then(|output| {
        let text = output.stdout_text();
        let names: Vec<&str> = text.lines().filter_map(|line| line.split(": ").nth(1)).collect();
        match names.as_slice() {
            [] => Err("there is none: machines have no network (ip-link(8), systemd.netdev(5))".to_owned()),
            names => Ok(names.join(", ")),
        }
    });
    [
        ("processor", processor),
        ("device", device),
        ("qemu", qemu),
        ("kvm", kvm),
        ("tcg", tcg),
        ("nspawn", nspawn),
        ("libvirt", libvirt),
        ("bridges", bridges),
    ]
    .into_iter()
    .map(|(what, told)| Finding { what, told })
    .collect()
}

/// A boot sector is proof enough of a translation, where there is no kernel to try.
fn by_translation(qemu: &str) -> Result<String, String> {
    let kernel = probe::newest_kernel(Path::new("/boot"));
    match probe::trial(qemu, Accelerator::Tcg, kernel).proof() {
        Proof::Half => Ok("a guest ran; it computes some ten times slower than by KVM".to_owned()),
        proof => proven(proof).map(|_| "guests ran; they compute some ten times slower than by KVM".to_owned()),
    }
}

fn at(libvirt: &Libvirt) -> Vec<Finding> {
    let can = libvirt.accelerators();
    let there = match can.is_empty() {
        true => Err("it is not reached, or has no QEMU: try `virsh -c URI capabilities`".to_owned()),
        false => Ok(libvirt.describe()),
    };
    let kvm = match can.contains(&Accelerator::Kvm) {
        true => proven(libvirt.prove_kvm(None)),
        false => Err("libvirt says that there is none".to_owned()),
    };
    let tcg = match can.contains(&Accelerator::Tcg) {
        true => Ok("QEMU is there; it computes some ten times slower than by KVM".to_owned()),
        false => Err("libvirt has no QEMU for it".to_owned()),
    };
    [("libvirt", there), ("kvm", kvm), ("tcg", tcg)].into_iter().map(|(what, told)| Finding { what, told }).collect()
}
