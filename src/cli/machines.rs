//! The commands about machines that debrole makes and ends.

use super::ArchiveCache;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Where what is known of machines is kept, and base trees.
#[derive(Debug, Clone, Args)]
pub struct Stores {
    /// Where this machine keeps what it knows of the machines that it made, and the disks of those that it runs itself
    /// [default: /var/lib/debrole for root, else $XDG_STATE_HOME/debrole]
    #[arg(long, value_name = "DIR", env = "DEBROLE_STATE")]
    pub state: Option<PathBuf>,
}

/// Which hypervisor, and what it runs the machine by.
#[derive(Debug, Clone, Default, Args)]
pub struct On {
    /// On this machine, whatever hypervisor the tree names
    #[arg(long)]
    pub here: bool,
    /// By the libvirt at this address, such as qemu:///system [default: the hypervisor of the host's \[vm\]]
    #[arg(long, value_name = "URI", conflicts_with = "here")]
    pub connect: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Accel {
    /// The processor's own virtualization
    Kvm,
    /// QEMU's translation: any processor, some ten times slower
    Tcg,
    /// A container of the hypervisor's kernel
    Nspawn,
}

/// How the tree is published on the way.
#[derive(Debug, Clone, Args)]
pub struct Publishing {
    /// Publish without the gate (a real apt-get update and simulated installs against the staged repository)
    #[arg(long)]
    pub no_gate: bool,
    /// The public copy at fleet.uri does not exist yet: start at generation 1 without looking there
    #[arg(long)]
    pub first_publish: bool,
    #[command(flatten)]
    pub archive_cache: ArchiveCache,
}

/// How a machine is made.
#[derive(Debug, Clone, Args)]
pub struct Making {
    #[command(flatten)]
    pub stores: Stores,
    /// Where base trees are kept [default: /var/cache/debrole/base for root, else $XDG_CACHE_HOME/debrole/base]
    #[arg(long, value_name = "DIR", env = "DEBROLE_BASE_CACHE")]
    pub base_cache: Option<PathBuf>,
    /// What it may run by, instead of what the tree allows; may be given more than once, the most wanted first
    #[arg(long, value_enum, value_name = "HOW")]
    pub accel: Vec<Accel>,
    /// How long a started machine has until its checks are OK, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
    /// Leave a machine that did not get ready as it is, to look at; `debrole deprovision` takes it away
    #[arg(long)]
    pub keep_failed: bool,
    #[command(flatten)]
    pub publishing: Publishing,
}

#[derive(Debug, Args)]
pub struct Provision {
    /// The machines, by their fully qualified domain names
    #[arg(value_name = "HOST", required_unless_present = "all")]
    pub hosts: Vec<String>,
    /// All machines with \[vm\] that are not there yet
    #[arg(long, conflicts_with = "hosts")]
    pub all: bool,
    /// How many are made at once
    #[arg(short, long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub jobs: u32,
    #[command(flatten)]
    pub on: On,
    #[command(flatten)]
    pub making: Making,
}

#[derive(Debug, Args)]
pub struct Deprovision {
    /// The machine, by its fully qualified domain name
    pub host: String,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Have the machine run its backup jobs once more before
    #[arg(long)]
    pub backup: bool,
    /// Leave hosts/HOST.toml in the tree, for the machine to be made again
    #[arg(long)]
    pub keep: bool,
    #[command(flatten)]
    pub on: On,
    #[command(flatten)]
    pub stores: Stores,
    #[command(flatten)]
    pub publishing: Publishing,
}

#[derive(Debug, Subcommand)]
pub enum Vm {
    /// List the machines that were made from here, and whether they run
    List {
        #[command(flatten)]
        stores: Stores,
    },
    /// Connect this terminal with a machine's serial console
    Console(OfMachine),
    /// Print the log of a machine's serial console
    Log(OfMachine),
    /// Start a machine
    Start(OfMachine),
    /// Stop a machine
    Stop {
        #[command(flatten)]
        of: OfMachine,
        /// At once, as if its plug were pulled
        #[arg(long)]
        now: bool,
        /// How long it has to shut down, in seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 120)]
        timeout: u64,
    },
    /// Make a machine anew from the tree, with a new host key; the old one goes when the new one is ready
    Rebuild(Rebuild),
}

#[derive(Debug, Args)]
pub struct OfMachine {
    /// The machine, by its fully qualified domain name
    pub host: String,
    #[command(flatten)]
    pub stores: Stores,
}

#[derive(Debug, Args)]
pub struct Rebuild {
    /// The machine, by its fully qualified domain name
    pub host: String,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub making: Making,
}

#[derive(Debug, Subcommand)]
pub enum Hypervisor {
    /// Show what works on a machine that is to run others, and why not: KVM is tried with a guest
    Check {
        /// The hypervisor, by its fully qualified domain name [default: this machine]
        host: Option<String>,
        /// Where base trees are kept, whose newest kernel KVM is tried with [default: as for provision]
        #[arg(long, value_name = "DIR", env = "DEBROLE_BASE_CACHE")]
        base_cache: Option<PathBuf>,
    },
}

/// Takes back what a run left that did not come to its end. Started by debrole itself.
#[derive(Debug, Args)]
pub struct Guard {
    #[arg(long)]
    pub state: PathBuf,
    /// The run's word
    #[arg(long)]
    pub run: String,
    /// Wait for the end of standard input first: it comes without a word where the run was killed
    #[arg(long)]
    pub watch: bool,
    /// End with this status
    #[arg(long, default_value_t = 2)]
    pub status: u8,
}
