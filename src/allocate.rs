//! What a virtual machine's file leaves open, and what is chosen for it: the same tree gives the same choice. Nothing of
//! it is written here.

use crate::deb::sha256;
use crate::model::vm::{Mac, Network};
use crate::model::{Host, Model};
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

/// Something that a machine needs before it can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Open {
    HostKey,
    /// Of the interface in this network.
    Mac(String),
    /// An address of one kind in this network.
    Address {
        network: String,
        v4: bool,
    },
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Open::HostKey => f.write_str("a host key"),
            Open::Mac(network) => write!(f, "a MAC address in {network}"),
            Open::Address { network, v4 } => write!(f, "an {} address in {network}", if *v4 { "IPv4" } else { "IPv6" }),
        }
    }
}

/// What is open of a machine; nothing of one that is not virtual.
pub fn open(model: &Model, host: &Host) -> Vec<Open> {
    let Some(vm) = &host.vm else { return Vec::new() };
    let mut open = Vec::new();
    if host.host_keys.is_empty() {
        open.push(Open::HostKey);
    }
    for interface in &vm.interfaces {
        let name = &interface.network.value;
        if interface.mac.is_none() {
            open.push(Open::Mac(name.clone()));
        }
        let Some(network) = model.fleet.networks.get(name) else { continue };
        let kinds = [true, false].into_iter().filter(|v4| interface.is_open(network, *v4));
        open.extend(kinds.map(|v4| Open::Address { network: name.clone(), v4 }));
    }
    open
}

/// What was chosen, in the order of the machine's interfaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Network → the MAC address there.
    pub macs: Vec<(String, Mac)>,
    pub addresses: Vec<IpAddr>,
}

/// All addresses of one kind that a network's pool has are taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the pool of the network {network} has no {} address left: widen `pool` of [network.{network}] in debrole.toml, or write the address into hosts/{host}.toml",
    if *v4 { "IPv4" } else { "IPv6" }
)]
pub struct Exhausted {
    pub network: String,
    pub v4: bool,
    pub host: String,
}

/// Chooses the MAC addresses and addresses that are open.
pub fn choose(model: &Model, host: &Host) -> Result<Chosen, Exhausted> {
    let mut chosen = Chosen::default();
    let mut macs: BTreeSet<Mac> =
        interfaces(model).filter_map(|interface| Some(interface.mac.as_ref()?.value)).collect();
    let taken = taken(model);
    for open in open(model, host) {
        match open {
            Open::HostKey => {}
            Open::Mac(network) => {
                let mac = mac(&format!("{}/{network}", host.name.value), &macs);
                macs.insert(mac);
                chosen.macs.push((network, mac));
            }
            Open::Address { network, v4 } => {
                let exhausted = || Exhausted { network: network.clone(), v4, host: host.name.to_string() };
                let found = model.fleet.networks.get(&network).and_then(|network| free(network, v4, &taken));
                chosen.addresses.push(found.ok_or_else(exhausted)?);
            }
        }
    }
    Ok(chosen)
}

fn interfaces(model: &Model) -> impl Iterator<Item = &crate::model::vm::Interface> {
    model.hosts.values().filter_map(|host| host.vm.as_ref()).flat_map(|vm| &vm.interfaces)
}

/// Every address that something of the tree has.
fn taken(model: &Model) -> BTreeSet<IpAddr> {
    let of_hosts = model.hosts.values().flat_map(|host| &host.addresses).map(|address| address.value);
    let of_interfaces = interfaces(model).flat_map(|interface| &interface.addresses).map(|address| address.value);
    let of_networks = model.fleet.networks.values().flat_map(|network| network.gateways.iter().chain(&network.dns));
    of_hosts.chain(of_interfaces).chain(of_networks.copied()).collect()
}

/// The lowest address of the pool that nobody has.
fn free(network: &Network, v4: bool, taken: &BTreeSet<IpAddr>) -> Option<IpAddr> {
    let mut ranges: Vec<_> =
        network.pool.iter().map(|range| range.value).filter(|range| range.first.is_ipv4() == v4).collect();
    ranges.sort_by_key(|range| range.first);
    let reserved = |address: &IpAddr| network.prefix(address).is_none_or(|prefix| prefix.reserves(address));
    // (Of a pool of 2^64 addresses no more are looked at than the tree has.)
    ranges.iter().flat_map(|range| range.addresses()).find(|address| !taken.contains(address) && !reserved(address))
}

/// One of QEMU's (52:54:00), by a name; the next one where another machine has it.
fn mac(name: &str, taken: &BTreeSet<Mac>) -> Mac {
    let first = u32::from_str_radix(&sha256(name.as_bytes())[..6], 16).expect("a hash is hexadecimal");
    let numbered = |number: u32| {
        let [_, a, b, c] = (number & 0xff_ffff).to_be_bytes();
        Mac([0x52, 0x54, 0, a, b, c])
    };
    // A tree has fewer machines than there are numbers.
    (0..=0xff_ffff_u32)
        .map(|step| numbered(first.wrapping_add(step)))
        .find(|mac| !taken.contains(mac))
        .unwrap_or(numbered(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_its_mac_address_and_the_next_one_on_a_clash() {
        let first = mac("web1.example.org/lan", &BTreeSet::new());
        assert_eq!(first, mac("web1.example.org/lan", &BTreeSet::new()));
        assert_ne!(first, mac("web2.example.org/lan", &BTreeSet::new()));
        assert!(first.to_string().starts_with("52:54:00:"), "{first}");
        let second = mac("web1.example.org/lan", &BTreeSet::from([first]));
        let number = |mac: Mac| u32::from_be_bytes([0, mac.0[3], mac.0[4], mac.0[5]]);
        assert_eq!(number(second), (number(first) + 1) & 0xff_ffff);
    }
}
