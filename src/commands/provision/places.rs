//! Which hypervisor a machine is on, or is to be on, and what it is run by there.

use super::wanted::Home;
use crate::cli;
use debrole::provision::base::{self, BaseRequest};
use debrole::provision::probe::Proof;
use debrole::provision::record::{Form, Place, State};
use debrole::provision::run::Hypervisor;
use debrole::provision::run::libvirt::Libvirt;
use debrole::provision::run::nspawn::Nspawn;
use debrole::provision::run::qemu::Qemu;
use debrole::provision::{Accelerator, Machine};
use std::path::Path;

/// A hypervisor, and how it is written down.
pub struct Whereabouts {
    pub place: Place,
    pub hypervisor: Box<dyn Hypervisor>,
}

impl Whereabouts {
    pub fn of(place: &Place, state: &State) -> Whereabouts {
        let hypervisor: Box<dyn Hypervisor> = match place.form {
            Form::Libvirt => Box::new(Libvirt::new(
                place.uri.as_deref().unwrap_or(SYSTEM),
                place.pool.as_deref().unwrap_or("default"),
                &place.owner,
            )),
            Form::Qemu => Box::new(Qemu::new(&state.directory().join("qemu"), &place.owner)),
            Form::Nspawn => Box::new(Nspawn::new(&state.directory().join("nspawn"), &place.owner)),
        };
        Whereabouts { place: place.clone(), hypervisor }
    }
}

/// The libvirt of this machine.
pub const SYSTEM: &str = "qemu:///system";

/// Where libvirt listens, when it is there (libvirtd(8)).
pub const SOCKETS: &[&str] = &["/run/libvirt/libvirt-sock", "/run/libvirt/virtqemud-sock"];

/// What a machine is run by, and where.
pub struct Choice {
    pub at: Whereabouts,
    pub accelerator: Accelerator,
    /// What it costs that it is not KVM, for a person; None of KVM.
    pub warning: Option<String>,
}

/// Where the machine may be: by each way that the tree (or the command) allows, the most wanted first.
fn places(home: &Home<'_>, on: &cli::On, owner: &str, accelerator: Accelerator) -> Place {
    let libvirt = |uri: &str| Place {
        form: Form::Libvirt,
        uri: Some(uri.to_owned()),
        pool: Some(home.pool.to_owned()),
        owner: owner.to_owned(),
    };
    let own = |form| Place { form, uri: None, pool: None, owner: owner.to_owned() };
    match (&on.connect, home.uri.filter(|_| !on.here)) {
        (Some(uri), _) => libvirt(uri),
        (None, Some(uri)) => libvirt(uri),
        (None, None) if accelerator == Accelerator::Nspawn => own(Form::Nspawn),
        (None, None) if SOCKETS.iter().any(|socket| Path::new(socket).exists()) => libvirt(SYSTEM),
        (None, None) => own(Form::Qemu),
    }
}

/// The first of the ways that are allowed which works, and not only should. The error says of each why not. The kernel
/// that KVM is tried with is the machine's own, where its base tree is in `cache`.
pub fn choose(
    machine: &Machine,
    home: &Home<'_>,
    on: &cli::On,
    allowed: &[Accelerator],
    owner: &str,
    state: &State,
    cache: &Path,
) -> Result<Choice, String> {
    let kernel = || base::kernel(cache, &BaseRequest::of(machine, false));
    let mut refused: Vec<String> = Vec::new();
    for &accelerator in allowed {
        let at = Whereabouts::of(&places(home, on, owner, accelerator), state);
        if !at.hypervisor.accelerators().contains(&accelerator) {
            refused.push(format!("{} can't run machines by {}", at.hypervisor.describe(), accelerator.word()));
            continue;
        }
        let warning = match accelerator {
            Accelerator::Kvm => match at.hypervisor.prove_kvm(kernel().as_deref()) {
                Proof::Works => None,
                proof => {
                    refused.push(format!("on {} kvm {proof}", at.hypervisor.describe()));
                    continue;
                }
            },
            Accelerator::Tcg => Some(
                "it runs by QEMU's translation (tcg): any processor will do, but it computes some ten times slower than by \
                 KVM"
                    .to_owned(),
            ),
            Accelerator::Nspawn => Some(
                "it runs as a container (nspawn): at full speed, but with the kernel of its hypervisor, which it is kept \
                 apart from less well than a virtual machine; kernel, modules and sysctls are the hypervisor's"
                    .to_owned(),
            ),
        };
        let warning = warning.map(|cost| match refused.as_slice() {
            [] => format!("{}: {cost}", machine.name),
            why => format!("{}: {cost} ({})", machine.name, why.join("; ")),
        });
        return Ok(Choice { at, accelerator, warning });
    }
    let others: Vec<&str> = [Accelerator::Kvm, Accelerator::Tcg, Accelerator::Nspawn]
        .into_iter()
        .filter(|other| !allowed.contains(other))
        .map(Accelerator::word)
        .collect();
    let remedy = match others.as_slice() {
        [] => String::new(),
        others => {
            let words: Vec<String> =
                allowed.iter().map(|a| a.word()).chain(others.iter().copied()).map(|w| format!("\"{w}\"")).collect();
            format!(": mend that, or allow more in its [vm]: accel = [{}]", words.join(", "))
        }
    };
    Err(format!("{} can't be run: {}{remedy}", machine.name, refused.join("; ")))
}
