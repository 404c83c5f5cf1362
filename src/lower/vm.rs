//! What a virtual machine's own package does so that it is reached: interfaces by their MAC addresses, name servers, sshd.
//! The same for a virtual machine and for a container, whatever the interface is called there.

use super::content::{Assembly, Effect};
use crate::model::vm::{Interface, Network};
use crate::model::{Host, Model};
use crate::names::{MachinePath, PackageName, UnitName};
use crate::relation::{Relation, RelationField};
use std::fmt::Write;
use std::net::IpAddr;

const NETWORKD: &str = "systemd-networkd.service";
/// What glibc asks at most (resolv.conf(5), MAXNS).
const MOST_NAME_SERVERS: usize = 3;

pub fn add(model: &Model, host: &Host, assembly: &mut Assembly<'_>) {
    let Some(vm) = &host.vm else { return };
    for package in ["openssh-server", "systemd"] {
        assembly.relate(RelationField::Depends, Relation::on(PackageName::parse(package).expect("a package's name")));
    }
    let of = |interface: &Interface| model.fleet.networks.get(&interface.network.value);
    for interface in &vm.interfaces {
        let Some((network, mac)) = of(interface).zip(interface.mac.as_ref()) else { continue };
        let path = format!("/etc/systemd/network/10-{}-{}.network", model.fleet.prefix, network.name.value);
        let path = MachinePath::parse(&path).expect("a network's name in a path");
        let text = network_file(network, &mac.value.to_string(), interface);
        assembly.own_file(&path, &text, Some(Effect::Reload(NETWORKD)), interface.network.span);
    }
    assembly.enabled(&UnitName::parse(NETWORKD).expect("a unit's name"));
    let mut servers: Vec<IpAddr> = Vec::new();
    for server in vm.interfaces.iter().filter_map(of).flat_map(|network| &network.dns) {
        if !servers.contains(server) && servers.len() < MOST_NAME_SERVERS {
            servers.push(*server);
        }
    }
    if !servers.is_empty() {
        let path = MachinePath::parse("/etc/resolv.conf").expect("a path");
        let text: String = servers.iter().map(|server| format!("nameserver {server}\n")).collect();
        assembly.own_file(&path, &text, None, vm.span);
    }
}

/// A file of systemd.network(5). The tree says that nobody else has the addresses, and routers don't say anything that it
/// does not: so neither is asked, and the machine is online as soon as the interface is there, instead of seconds later.
fn network_file(network: &Network, mac: &str, interface: &Interface) -> String {
    let has = |v4: bool| interface.addresses.iter().any(|address| address.value.is_ipv4() == v4);
    let mut text = format!("[Match]\nMACAddress={mac}\n\n[Link]\n");
    let required = if interface.addresses.is_empty() { "no" } else { "yes" };
    let _ = writeln!(text, "RequiredForOnline={required}\n\n[Network]");
    // Neighbours on IPv6, routers above all, ask from and answer to addresses of the link.
    let _ = writeln!(text, "LinkLocalAddressing={}", if has(false) { "ipv6" } else { "no" });
    text.push_str("IPv6AcceptRA=no\nIPv6DuplicateAddressDetection=0\n");
    for gateway in network.gateways.iter().filter(|gateway| has(gateway.is_ipv4())) {
        let _ = writeln!(text, "Gateway={gateway}");
    }
    for address in &interface.addresses {
        let Some(prefix) = network.prefix(&address.value) else { continue };
        let _ = writeln!(text, "\n[Address]\nAddress={}/{}", address.value, prefix.length);
        let _ = writeln!(text, "DuplicateAddressDetection=none");
    }
    text
}
