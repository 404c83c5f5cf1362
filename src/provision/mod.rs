//! From nothing to a running machine: a disk or a directory with Debian and the machine's own package on it, a
//! hypervisor that runs it, and the wait until it says itself that it is ready.
//!
//! It sees a repository, a key and a machine, and knows nothing of trees and roles: what is to be made is a [`Machine`]
//! and an [`Identity`], which [`crate`]'s commands read off the tree.
//!
//! ```text
//! base      Debian's packages as they come     → a tree in the cache, shared by all machines of a release
//! install   base + repository + identity       → the machine's own tree, its host package installed
//! image     tree                               → disks with boot loader and file systems (a container needs none)
//! run       disks or tree                      → a domain of libvirt's, a QEMU, or a container
//! ready     console and SSH                    → the machine's own word that its checks are OK
//! ```
//!
//! `undo` takes back what was done when one of them says no; `steps` is their order.

mod apt;
pub mod base;
mod chroot;
pub mod console;
pub mod image;
pub mod install;
pub mod probe;
pub mod ready;
pub mod record;
pub mod run;
pub mod steps;
mod terminal;
pub mod undo;

use std::net::IpAddr;
use std::path::PathBuf;

/// A machine that is to be: what `[vm]` of its file says, with everything settled that the tree may leave open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Fully qualified domain name; also the name of the domain.
    pub name: String,
    pub release: Release,
    /// Debian's name of the architecture: `amd64`.
    pub architecture: String,
    /// At least 1.
    pub cpus: u32,
    /// MiB.
    pub memory: u64,
    /// The first one is mounted at `/`. Never empty.
    pub disks: Vec<Disk>,
    pub networks: Vec<Network>,
    pub firmware: Firmware,
    /// What it may run by, the most wanted first. Never empty.
    pub accelerators: Vec<Accelerator>,
    /// Whether it starts with its hypervisor.
    pub autostart: bool,
}

/// A Debian release and where its packages come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// `bookworm`.
    pub codename: String,
    /// The release itself, its updates, its security suite.
    pub sources: Vec<Source>,
    /// The keyring file that they are signed by; None: Debian's own.
    pub keyring: Option<PathBuf>,
}

/// One source of Debian packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub uri: String,
    pub suite: String,
    pub components: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// `root` for the first; lower case letters, digits and hyphens. Part of the image's file name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    pub file_system: FileSystem,
    /// Where it is mounted: `/` for the first.
    pub mount: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileSystem {
    Ext4,
    Btrfs,
    Xfs,
}

/// A network interface. The addresses are set up by the machine's own package, which knows it by its MAC address; they
/// are here for who has to reach the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The bridge of the hypervisor that it is plugged into.
    pub bridge: String,
    /// `52:54:00:xx:xx:xx`, lower case.
    pub mac: String,
    pub addresses: Vec<IpAddr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmware {
    Bios,
    Uefi,
}

/// What a machine runs by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accelerator {
    /// The processor's own virtualization.
    Kvm,
    /// QEMU's translation: any processor, some ten times slower.
    Tcg,
    /// No machine of its own, but a container of the hypervisor's kernel.
    Nspawn,
}

impl Accelerator {
    /// As the tree writes it: `kvm`.
    pub fn word(self) -> &'static str {
        match self {
            Accelerator::Kvm => "kvm",
            Accelerator::Tcg => "tcg",
            Accelerator::Nspawn => "nspawn",
        }
    }
}

/// What makes the machine the one that it is, before it exists.
#[derive(Clone)]
pub struct Identity {
    /// The private half of its ed25519 host key, as ssh-keygen(1) writes it. Goes onto its disk and nowhere else.
    pub host_key: Vec<u8>,
    /// The public half, as in `/etc/ssh/ssh_host_ed25519_key.pub`.
    pub host_key_public: String,
    /// A word that only root of the machine can read: lines of the console that have it are the machine's own.
    pub word: String,
}

/// Where packages of ours come from while the machine is made.
#[derive(Debug, Clone)]
pub struct Repository {
    /// A published directory (`repo-out`), read while the machine's tree is made.
    pub directory: PathBuf,
    /// The keyring package for the machine's release, in that directory.
    pub keyring: PathBuf,
    /// What is to be installed: the machine's host package.
    pub packages: Vec<String>,
    /// The fleet's prefix: `pg`.
    pub prefix: String,
}

/// Told as a machine is made, so that a person can follow.
pub trait Progress: Sync {
    /// A phase begins: `base`, `install`, `image`, `place`, `start`, `ready`.
    fn phase(&self, phase: Phase, detail: &str);
    /// A line about what goes on within it.
    fn say(&self, text: &str);
}

/// What is done for a machine, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Base,
    Install,
    Image,
    Place,
    Start,
    Ready,
}
