//! What stands in the way of running a machine, each with its remedy.

use crate::exec::ExecError;
use crate::provision::Accelerator;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(
        "there is already a machine \"{name}\" on {on}, of this fleet: remove it with \"debrole deprovision {name}\", \
         or make it anew with \"debrole vm rebuild {name}\""
    )]
    NameTaken { name: String, on: String },
    #[error(
        "there is already a machine \"{name}\" on {on}, and it is not of this fleet: give the host another name, or remove that machine there"
    )]
    NameTakenByOthers { name: String, on: String },
    #[error(
        "\"{name}\" on {on} is not a machine of this fleet, and is left alone: remove it there yourself if it has to go"
    )]
    NotOurs { name: String, on: String },
    #[error("there is no machine \"{name}\" on {on}: make it with \"debrole provision {name}\"")]
    Absent { name: String, on: String },
    #[error(
        "there is already a machine set aside for \"{name}\" on {on}, left by a rebuild that was cut off: run \"debrole vm rebuild {name}\" again"
    )]
    AsideTaken { name: String, on: String },
    #[error("there is no bridge \"{bridge}\" on {on}{}: make it there, or name another in the host's [vm]", there(.bridges))]
    NoBridge { bridge: String, on: String, bridges: Vec<String> },
    #[error(
        "the MAC address {mac} is in use on {on} by \"{by}\": remove \"mac\" from the host's [vm], so that another is chosen"
    )]
    MacTaken { mac: String, by: String, on: String },
    #[error("something answers at {address} already{}: give the host another address, or turn that machine off", at(.mac))]
    AddressAnswers { address: IpAddr, mac: Option<String> },
    #[error("the disks may grow to {}, and {} are free in {place}: make room there, or make the disks smaller in the host's [vm]", size(*.needed), size(*.free))]
    NoSpace { needed: u64, free: u64, place: String },
    #[error("{on} can't run a machine by {}: name one of {} as \"accel\" in the host's [vm]", .wanted.word(), words(.can))]
    Accelerator { on: String, wanted: Accelerator, can: Vec<Accelerator> },
    #[error("{on} runs machines from {wanted}, and was given {given}")]
    Form { on: String, wanted: &'static str, given: &'static str },
    #[error("\"{name}\" does not start on {on}: {reason}")]
    DoesNotStart { name: String, on: String, reason: String },
    #[error("\"{name}\" still runs {} seconds after it was told to shut down: look at its console (\"debrole vm console {name}\"), or stop it with \"--now\"", limit.as_secs())]
    DoesNotStop { name: String, limit: Duration },
    #[error("\"{name}\" does not run: start it with \"debrole vm start {name}\"")]
    DoesNotRun { name: String },
    #[error("\"{name}\" needs UEFI firmware, and there is none on {on}: install it there with: apt-get install ovmf")]
    NoFirmware { name: String, on: String },
    #[error("can't {what} {}: {source}", path.display())]
    Io { what: &'static str, path: PathBuf, source: std::io::Error },
    #[error("can't {what}: {source}")]
    Exec { what: String, source: ExecError },
    #[error("can't {what}: {reason}")]
    Other { what: String, reason: String },
}

impl RunError {
    pub(super) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> RunError {
        let path = path.into();
        move |source| RunError::Io { what, path, source }
    }
    pub(super) fn exec(what: impl Into<String>) -> impl FnOnce(ExecError) -> RunError {
        let what = what.into();
        move |source| RunError::Exec { what, source }
    }
}

fn there(bridges: &[String]) -> String {
    match bridges {
        [] => " (there is none at all)".to_owned(),
        some => format!(" (there are: {})", some.join(", ")),
    }
}

fn at(mac: &Option<String>) -> String {
    mac.as_ref().map(|mac| format!(" (with the MAC address {mac})")).unwrap_or_default()
}

fn words(accelerators: &[Accelerator]) -> String {
    accelerators.iter().map(|a| format!("\"{}\"", a.word())).collect::<Vec<_>>().join(", ")
}

/// Bytes for a person: `1.5 GiB`.
pub(crate) fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        b if b >= (1u64 << 30) as f64 => format!("{:.1} GiB", b / (1u64 << 30) as f64),
        b => format!("{:.0} MiB", b / (1u64 << 20) as f64),
    }
}
