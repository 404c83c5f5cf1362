//! From a host of the tree to the machine that is to be.

use debrole::allocate::{self, Open};
use debrole::model::vm::{self, Vm};
use debrole::model::{Host, Model};
use debrole::names::HostName;
use debrole::provision::{Accelerator, Disk, FileSystem, Firmware, Machine, Network, Release, Source};

/// Why a host can't be made as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotYet {
    /// It has no `[vm]`.
    NotVirtual,
    /// What has to be chosen before ([`allocate::choose`]).
    Open(Vec<Open>),
}

/// The hypervisor that runs a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Home<'m> {
    /// A host of the tree; None: the machine where this runs.
    pub host: Option<&'m HostName>,
    /// libvirt's connection URI; None where `host` is.
    pub uri: Option<&'m str>,
    /// libvirt's storage pool.
    pub pool: &'m str,
}

/// Where a machine is to be; None of one that is not virtual.
pub fn home<'m>(model: &'m Model, host: &'m Host) -> Option<Home<'m>> {
    let name = host.vm.as_ref()?.hypervisor.as_ref().map(|hypervisor| &hypervisor.value);
    let hypervisor = name.and_then(|name| model.hosts.get(name)?.hypervisor.as_ref());
    Some(Home {
        host: name,
        uri: hypervisor.map(|hypervisor| hypervisor.uri.as_str()),
        pool: hypervisor.map_or("default", |hypervisor| &hypervisor.pool),
    })
}

/// The machine that a host's file describes, with everything settled.
pub fn machine(model: &Model, host: &Host) -> Result<Machine, NotYet> {
    let vm = host.vm.as_ref().ok_or(NotYet::NotVirtual)?;
    let open = allocate::open(model, host);
    if !open.is_empty() {
        return Err(NotYet::Open(open));
    }
    let release = model.fleet.release(&host.release);
    let sources = release.map(|release| release.sources.as_slice()).unwrap_or_default();
    let source = |source: &debrole::model::ArchiveSource| Source {
        uri: source.uri.clone(),
        suite: source.suite.clone(),
        components: source.components.clone(),
    };
    Ok(Machine {
        name: host.name.to_string(),
        release: Release {
            codename: host.release.to_string(),
            sources: sources.iter().map(source).collect(),
            keyring: release.and_then(|release| release.keyring.clone()),
        },
        architecture: vm.architecture.to_owned(),
        cpus: vm.cpus,
        memory: vm.memory,
        disks: vm.disks.iter().map(disk).collect(),
        networks: networks(model, vm),
        firmware: match vm.firmware {
            vm::Firmware::Bios => Firmware::Bios,
            vm::Firmware::Uefi => Firmware::Uefi,
        },
        accelerators: vm.accel.iter().copied().map(accelerator).collect(),
        autostart: vm.autostart,
    })
}

pub fn accelerator(accelerator: vm::Accelerator) -> Accelerator {
    match accelerator {
        vm::Accelerator::Kvm => Accelerator::Kvm,
        vm::Accelerator::Tcg => Accelerator::Tcg,
        vm::Accelerator::Nspawn => Accelerator::Nspawn,
    }
}

fn disk(disk: &vm::Disk) -> Disk {
    Disk {
        name: disk.name.clone(),
        size: disk.size,
        file_system: match disk.file_system {
            vm::FileSystem::Ext4 => FileSystem::Ext4,
            vm::FileSystem::Btrfs => FileSystem::Btrfs,
            vm::FileSystem::Xfs => FileSystem::Xfs,
        },
        mount: disk.mount.as_ref().map_or("/", |mount| mount.value.as_str()).to_owned(),
    }
}

fn networks(model: &Model, vm: &Vm) -> Vec<Network> {
    let network = |interface: &vm::Interface| {
        Some(Network {
            bridge: model.fleet.networks.get(&interface.network.value)?.bridge.clone(),
            mac: interface.mac.as_ref()?.value.to_string(),
            addresses: interface.addresses.iter().map(|address| address.value).collect(),
        })
    };
    vm.interfaces.iter().filter_map(network).collect()
}
