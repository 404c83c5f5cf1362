//! The interfaces of a virtual machine, and its gateways.

use crate::diagnostics::{Diagnostic, rules};
use crate::model::vm::{Interface, Mac, Network};
use crate::names::HostName;
use crate::near::nearest;
use crate::resolve::Facts;
use crate::resolve::network::kind;
use crate::schema::ast;
use crate::source::Spanned;
use std::collections::BTreeMap;
use std::net::IpAddr;

pub(super) fn interfaces(
    host: &HostName,
    ast: &ast::Vm,
    addresses: &[Spanned<IpAddr>],
    facts: &Facts,
    out: &mut Vec<Diagnostic>,
) -> Option<Vec<Interface>> {
    let mut interfaces: Vec<Interface> = Vec::new();
    // What is unsound in debrole.toml is reported there: what is missing of it is no second mistake.
    let mut valid = true;
    for table in ast.network.iter().flat_map(|many| &many.0) {
        let interface = interface(table, addresses, facts, out);
        valid &= interface.is_some();
        let Some(interface) = interface else { continue };
        if let Some(other) = interfaces.iter().find(|other| other.network == interface.network) {
            valid = false;
            out.push(
                Diagnostic::new(
                    &rules::duplicate_name::RULE,
                    format!("{host} is in the network {} twice", interface.network.value),
                )
                .at(interface.network.span, "")
                .also(other.network.span, "the other one")
                .help("remove one of them"),
            );
        }
        interfaces.push(interface);
    }
    if ast.network.as_ref().is_none_or(|many| many.0.is_empty()) {
        let mut named = facts.network_names.iter();
        match (named.next(), named.next()) {
            (Some(only), None) => {
                let network = facts.networks.get(only)?;
                interfaces.push(Interface {
                    network: Spanned::new(only.clone(), ast.span),
                    mac: None,
                    addresses: of_network(network, addresses),
                    own_addresses: false,
                    written: false,
                });
            }
            (several, _) => {
                let message = format!("{host} is in no network: nobody could reach it");
                let names: Vec<&str> = facts.network_names.iter().map(String::as_str).collect();
                out.push(Diagnostic::new(&rules::vm_without_network::RULE, message).at(ast.span, "").help(
                    match several {
                        Some(_) => format!("add [[vm.network]] with name = one of {}", names.join(", ")),
                        None => {
                            "describe the network in debrole.toml, [network.lan] with bridge and prefixes".to_owned()
                        }
                    },
                ));
                return None;
            }
        }
    }
    if !valid {
        return None;
    }
    let networks = |name: &str| facts.networks.get(name);
    for address in addresses {
        let within = |interface: &Interface| {
            networks(&interface.network.value).is_some_and(|n| n.prefix(&address.value).is_some())
        };
        if !interfaces.iter().any(within) {
            valid = false;
            let names: Vec<&str> = interfaces.iter().map(|interface| interface.network.value.as_str()).collect();
            out.push(
                Diagnostic::new(
                    &rules::address_outside_network::RULE,
                    format!("{} is in no network of {host}: it is in {}", address.value, names.join(" and ")),
                )
                .at(address.span, "")
                .help("write an address within the network's `prefixes`, or add the [[vm.network]] that it belongs to"),
            );
        }
    }
    for interface in &interfaces {
        let Some(network) = networks(&interface.network.value) else { continue };
        let reserved = |ip: &IpAddr| network.prefix(ip).is_some_and(|prefix| prefix.reserves(ip));
        for address in interface.addresses.iter().filter(|address| reserved(&address.value)) {
            let message = format!("no machine can be {} in the network {}", address.value, interface.network.value);
            out.push(
                Diagnostic::new(&rules::invalid_address::RULE, message)
                    .at(address.span, "the address of the network itself, or of all machines in it")
                    .help("write the address of one machine"),
            );
        }
    }
    gateways(host, &interfaces, facts, out);
    let opens = |interface: &Interface| {
        let open = |network: &Network| [true, false].into_iter().any(|v4| interface.is_open(network, v4));
        networks(&interface.network.value).is_some_and(open)
    };
    if valid && !interfaces.iter().any(|interface| !interface.addresses.is_empty() || opens(interface)) {
        out.push(
            Diagnostic::new(
                &rules::vm_without_address::RULE,
                format!(
                    "{host} has no address in {}, and there is no pool to choose one from",
                    interfaces[0].network.value
                ),
            )
            .at(interfaces[0].network.span, "")
            .help("add `addresses` to the host, or a `pool` to the network in debrole.toml"),
        );
        return None;
    }
    valid.then_some(interfaces)
}

/// Those that belong to the network.
fn of_network(network: &Network, addresses: &[Spanned<IpAddr>]) -> Vec<Spanned<IpAddr>> {
    addresses.iter().filter(|address| network.prefix(&address.value).is_some()).cloned().collect()
}

/// None where it can't be told what it is.
fn interface(
    table: &ast::Interface,
    addresses: &[Spanned<IpAddr>],
    facts: &Facts,
    out: &mut Vec<Diagnostic>,
) -> Option<Interface> {
    let mac = table.mac.as_ref().map(|text| match Mac::parse(&text.value) {
        Ok(mac) => Some(Spanned::new(mac, text.span)),
        Err(error) => {
            out.push(
                Diagnostic::new(
                    &rules::invalid_mac::RULE,
                    format!("\"{}\" is not the address of an interface: {error}", text.value.escape_debug()),
                )
                .at(text.span, "")
                .help("write one such as \"52:54:00:12:34:56\", or remove it: `debrole provision` writes one"),
            );
            None
        }
    });
    let name = table.name.as_ref()?;
    if !facts.network_names.contains(&name.value) {
        let names = facts.network_names.iter().map(String::as_str);
        out.push(
            Diagnostic::new(
                &rules::unknown_network::RULE,
                format!("there is no network \"{}\"", name.value.escape_debug()),
            )
            .at(name.span, "")
            .help(match nearest(&name.value, names.clone()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None if facts.network_names.is_empty() => {
                    "describe it in debrole.toml: [network.NAME] with bridge and prefixes".to_owned()
                }
                None => {
                    format!("write one of {}, or describe it in debrole.toml", names.collect::<Vec<_>>().join(", "))
                }
            }),
        );
        return None;
    }
    let network = facts.networks.get(&name.value)?;
    let told = out.len();
    let own = table.addresses.as_ref().map(|list| crate::resolve::host::parse_addresses(list, out));
    // One that can't be read is not missing.
    let unread = out[told..].iter().any(Diagnostic::is_error);
    for address in own.iter().flatten().filter(|address| network.prefix(&address.value).is_none()) {
        out.push(
            Diagnostic::new(
                &rules::address_outside_network::RULE,
                format!("{} is not in the network {}", address.value, name.value),
            )
            .at(address.span, "")
            .also(network.prefixes[0].span, "the network's prefix")
            .help("write an address within the network's `prefixes`"),
        );
    }
    if unread {
        return None;
    }
    let own_addresses = own.is_some();
    let addresses = own.unwrap_or_else(|| of_network(network, addresses));
    let mac = match mac {
        Some(known) => Some(known?),
        None => None,
    };
    Some(Interface { network: name.clone(), mac, addresses, own_addresses, written: true })
}

/// Of two default routes nobody could tell which is taken.
fn gateways(host: &HostName, interfaces: &[Interface], facts: &Facts, out: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<bool, &Interface> = BTreeMap::new();
    for interface in interfaces {
        let Some(network) = facts.networks.get(&interface.network.value) else { continue };
        for gateway in &network.gateways {
            // Only where it has an address of the kind, now or when it is chosen, does it get the route.
            let v4 = gateway.is_ipv4();
            let has = interface.addresses.iter().any(|address| address.value.is_ipv4() == v4);
            if !has && !interface.is_open(network, v4) {
                continue;
            }
            let Some(other) = seen.insert(v4, interface) else { continue };
            out.push(
                Diagnostic::new(
                    &rules::several_gateways::RULE,
                    format!(
                        "{host} would have two gateways for {}: of {} and of {}",
                        kind(gateway),
                        other.network.value,
                        network.name.value
                    ),
                )
                .at(interface.network.span, "")
                .also(other.network.span, "the other one")
                .help("let one of the networks have no `gateways`, or the machine be in one of them"),
            );
        }
    }
}
