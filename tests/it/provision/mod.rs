//! From disks to running machines: real QEMUs, a real libvirt, real containers.

mod backends;
mod base;
mod check;
mod commands;
mod domain;
mod faults;
mod fleet;
mod image;
mod install;
mod libvirtd;
mod probe;
mod ready;
mod site;
mod watched;

use crate::machine::Lab;
use debrole::provision::image::{Format, Image};
use debrole::provision::{
    Accelerator, Disk, FileSystem, Firmware, Machine, Network, Phase, Progress, Release, run::Form,
};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::path::Path;

/// Nobody looks.
struct Silent;

impl Progress for Silent {
    fn phase(&self, _: Phase, _: &str) {}
    fn say(&self, _: &str) {}
}

/// Runs `what` where the lab's bridge is: in its network, with everything that it starts.
fn within<T: Send>(lab: &Lab, what: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let inside = scope.spawn(|| {
            let network = std::fs::File::open(Path::new("/run/netns").join(lab.name())).expect("the lab's network");
            move_into_link_name_space(std::os::fd::AsFd::as_fd(&network), Some(LinkNameSpaceType::Network))
                .expect("root may enter it");
            what()
        });
        inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// A small machine plugged into the lab.
fn machine(name: &str, mac: u8) -> Machine {
    Machine {
        name: name.to_owned(),
        release: Release { codename: "bookworm".to_owned(), sources: Vec::new(), keyring: None },
        architecture: "amd64".to_owned(),
        cpus: 1,
        memory: 256,
        disks: vec![Disk {
            name: "root".to_owned(),
            size: 1 << 20,
            file_system: FileSystem::Ext4,
            mount: "/".to_owned(),
        }],
        networks: vec![Network {
            bridge: "br0".to_owned(),
            mac: format!("52:54:00:00:00:{mac:02x}"),
            addresses: vec!["192.0.2.77".parse().expect("an address")],
        }],
        firmware: Firmware::Bios,
        accelerators: vec![Accelerator::Tcg],
        autostart: false,
    }
}

/// An image of one disk with this content.
fn disk(directory: &Path, content: &[u8]) -> Form {
    let path = directory.join("root.img");
    std::fs::write(&path, content).expect("a directory of the test's own");
    Form::Disks(vec![Image { disk: "root".to_owned(), path, format: Format::Raw }])
}
