//! Virtual machines, the hypervisors that run them, and the networks that they are plugged into.

use crate::schema::decode::{Decode, Decoder, Flag, Many, Number, Text, Texts, Toml};
use crate::schema::meta::{Field, Options, Table, TableMeta, schema};
use crate::source::Span;

schema! {
    /// A network that virtual machines are plugged into: the bridge of their hypervisors, and what addresses there are.
    /// Its name is lower case letters, digits and inner hyphens, at most 32.
    ///
    /// ```toml
    /// [network.lan]
    /// bridge   = "br0"
    /// prefixes = ["192.0.2.0/24", "2001:db8::/64"]
    /// gateways = ["192.0.2.1", "2001:db8::1"]
    /// dns      = ["192.0.2.53"]
    /// pool     = ["192.0.2.100-192.0.2.199", "2001:db8::1:0-2001:db8::1:ffff"]
    /// ```
    table Network("[network.NAME] of debrole.toml") {
        /// The bridge, by its name on every hypervisor with machines in this network.
        bridge: Text { required: true, example: "\"br0\"", pattern: "^[A-Za-z][A-Za-z0-9_.-]{0,14}$", source: "netdevice(7); ip-link(8)" },
        /// What addresses belong to it: an address and a length each. No two networks have the same.
        prefixes: Texts { required: true, example: "[\"192.0.2.0/24\", \"2001:db8::/64\"]", source: "RFC 4632 3.1; RFC 4291 2.3" },
        /// The routers, at most one of each kind of address. Without one, its machines reach nothing beyond it.
        gateways: Texts { default: "[]", example: "[\"192.0.2.1\", \"2001:db8::1\"]", source: "systemd.network(5), Gateway=" },
        /// The name servers that its machines ask: they become `/etc/resolv.conf`. Without any, that file is left alone.
        dns: Texts { default: "[]", example: "[\"192.0.2.53\"]", source: "resolv.conf(5); at most 3" },
        /// Addresses from which `debrole provision` chooses one for a machine that has none yet: the first and the last of
        /// each range. Without one for a kind of address, that kind is not chosen.
        pool: Texts { default: "[]", example: "[\"192.0.2.100-192.0.2.199\"]" },
    }

    /// Makes a machine one that virtual machines can be on. What it needs for that is in its roles: libvirt and QEMU,
    /// systemd-container for containers, the bridges of its networks.
    ///
    /// ```toml
    /// [hypervisor]
    /// accel = ["kvm", "tcg"]
    /// ```
    table Hypervisor("[hypervisor] of a host") {
        /// How its libvirt is reached from where `debrole provision` runs.
        uri: Text {
            default: "\"qemu+ssh://root@FQDN/system\"", example: "\"qemu+ssh://root@kvm1.example.org/system\"",
            source: "https://libvirt.org/uri.html"
        },
        /// What its machines run by where they don't say so themselves, the most wanted first.
        accel: Texts { default: "[\"kvm\"]", example: "[\"kvm\", \"tcg\"]" },
        /// The storage pool of libvirt that disks are in.
        pool: Text { default: "\"default\"", example: "\"default\"", pattern: "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", source: "virsh(1), pool-list" },
    }

    /// Makes the machine a virtual one, which `debrole provision` makes from nothing. What stays open – the MAC address,
    /// addresses where the network has a pool, the host key – is chosen then and written into this file. The machine's own
    /// package sets up its interfaces (systemd-networkd, by the MAC addresses), `/etc/resolv.conf` where its networks have
    /// `dns`, and sshd.
    ///
    /// ```toml
    /// [vm]
    /// hypervisor = "kvm1.example.org"
    /// cpus       = 2
    /// memory     = "2G"
    ///
    /// [[vm.disk]]
    /// size = "10G"
    ///
    /// [[vm.disk]]
    /// name  = "data"
    /// size  = "100G"
    /// mount = "/srv"
    ///
    /// [[vm.network]]
    /// name = "lan"
    /// ```
    table Vm("[vm] of a host") {
        /// The machine that runs it: a host with `[hypervisor]`. Without: that on which `debrole provision` is run. In
        /// Nagios it is the parent of this one, unless `[monitoring]` has `parents`.
        hypervisor: Text { default: "the machine where `debrole provision` runs", example: "\"kvm1.example.org\"" },
        /// Debian's name of its architecture. Only amd64 machines can be made.
        architecture: Text { default: "\"amd64\"", example: "\"amd64\"", values: &["amd64"] },
        /// Virtual processors.
        cpus: Number { default: "1", example: "2", range: Some((1, 512)) },
        /// Memory. A number and `M` or `G`.
        memory: Text { default: "\"1G\"", example: "\"2G\"", pattern: "^[0-9]+[MG]$", source: "at least 256M, at most 4096G" },
        /// What starts it. A container has none.
        firmware: Text { default: "\"bios\"", example: "\"uefi\"", values: &["bios", "uefi"] },
        /// What it may run by, the most wanted first; the first that the hypervisor can do is taken. kvm: the processor's
        /// own virtualization. tcg: QEMU's translation, some ten times slower, on any processor. nspawn: no virtual machine
        /// but a container with the hypervisor's kernel (systemd-nspawn(1)), whose disks are directories.
        accel: Texts { default: "its hypervisor's, else [\"kvm\"]", example: "[\"kvm\", \"tcg\"]" },
        /// Whether it starts with its hypervisor.
        autostart: Flag { default: "true", example: "false" },
        /// Its disks: the first one, or the only one without `mount`, is `/`. Without any it has one of 8G.
        disk: Many<Disk>,
        /// What networks it is in. Without any: the only network of debrole.toml.
        network: Many<Interface>,
    }

    /// A disk of a virtual machine, one file system without partitions of its own but what it boots from.
    ///
    /// ```toml
    /// [[vm.disk]]
    /// name        = "data"
    /// size        = "100G"
    /// file_system = "xfs"
    /// mount       = "/srv"
    /// ```
    table Disk("[[vm.disk]]") {
        /// Part of the image's file name: lower case letters, digits and inner hyphens.
        name: Text { default: "\"root\" of the one at /", example: "\"data\"", pattern: "^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$" },
        /// A number and `M`, `G` or `T`.
        size: Text { default: "\"8G\"", example: "\"20G\"", pattern: "^[0-9]+[MGT]$", source: "at least 2G, at most 64T" },
        /// The file system.
        file_system: Text { default: "\"ext4\"", example: "\"xfs\"", values: &["ext4", "btrfs", "xfs"] },
        /// Where it is mounted. One disk is at `/`; no other is below one that is not `/`.
        mount: Text { default: "\"/\" of the first", example: "\"/srv\"", source: "hier(7)" },
    }

    /// A network that a virtual machine is in.
    ///
    /// ```toml
    /// [[vm.network]]
    /// name = "lan"
    /// mac  = "52:54:00:12:34:56"
    /// ```
    table Interface("[[vm.network]]") {
        /// The network: NAME of a `[network.NAME]` in debrole.toml.
        name: Text { required: true, example: "\"lan\"" },
        /// The interface's MAC address, by which the machine knows it. `debrole provision` writes one where there is none.
        mac: Text { example: "\"52:54:00:12:34:56\"", pattern: "^[0-9a-f]{2}(:[0-9a-f]{2}){5}$", source: "IEEE 802, 8.2" },
        /// The machine's addresses there.
        addresses: Texts { default: "those of the host's `addresses` that belong to the network", example: "[\"192.0.2.10\"]" },
    }
}
