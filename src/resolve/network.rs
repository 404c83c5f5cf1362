//! `[network.NAME]` of debrole.toml → [`Network`].

use super::text::duplicates;
use crate::diagnostics::{Diagnostic, rules};
use crate::model::vm::{IpPrefix, IpRange, Network};
use crate::schema::{Named, Text, Texts, ast};
use crate::source::Spanned;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What glibc asks at most (resolv.conf(5), MAXNS).
const MOST_NAME_SERVERS: usize = 3;

/// The networks that are sound; the others are reported.
pub fn resolve(named: Option<&Named<ast::Network>>, out: &mut Vec<Diagnostic>) -> BTreeMap<String, Network> {
    let mut networks = BTreeMap::new();
    for (name, table) in named.iter().flat_map(|named| &named.0) {
        let sound = valid_name(name, out);
        if let Some(network) = network(name, table, out).filter(|_| sound) {
            networks.insert(name.value.clone(), network);
        }
    }
    overlaps(&networks, out);
    networks
}

/// It becomes part of file names.
fn valid_name(name: &Text, out: &mut Vec<Diagnostic>) -> bool {
    let text = name.value.as_str();
    let valid = text.len() <= 32
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !valid {
        out.push(
            Diagnostic::new(
                &rules::invalid_network_name::RULE,
                format!("\"{}\" can't name a network", text.escape_debug()),
            )
            .at(name.span, "")
            .help("write lower case letters, digits and inner hyphens, a letter first, at most 32, such as \"lan\""),
        );
    }
    valid
}

fn network(name: &Text, table: &ast::Network, out: &mut Vec<Diagnostic>) -> Option<Network> {
    let bridge = table.bridge.as_ref().filter(|text| valid_bridge(text, out));
    let prefixes = table.prefixes.as_ref().map(|list| prefixes(list, out)).unwrap_or_default();
    let within = |address: &IpAddr| prefixes.iter().find(|prefix| prefix.value.contains(address));
    let mut gateways: Vec<Spanned<IpAddr>> = Vec::new();
    for text in table.gateways.iter().flat_map(|list| &list.value) {
        let Some(address) = address(text, out) else { continue };
        // Without a prefix nothing can be within: that is told already.
        if within(&address).is_none() && !prefixes.is_empty() {
            out.push(
                Diagnostic::new(
                    &rules::address_outside_network::RULE,
                    format!("the gateway {address} is not in the network {}", name.value),
                )
                .at(text.span, "")
                .also(prefixes[0].span, "the network's prefix")
                .help("write an address within one of `prefixes`, or add its prefix"),
            );
            continue;
        }
        if let Some(other) = gateways.iter().find(|other| other.value.is_ipv4() == address.is_ipv4()) {
            let kind = kind(&address);
            out.push(
                Diagnostic::new(
                    &rules::several_gateways::RULE,
                    format!("the network {} has two gateways for {kind}", name.value),
                )
                .at(text.span, "")
                .also(other.span, "the other one")
                .help("keep the one that its machines are to use"),
            );
            continue;
        }
        gateways.push(Spanned::new(address, text.span));
    }
    let mut dns: Vec<IpAddr> = Vec::new();
    if let Some(list) = &table.dns {
        duplicates(list, "the name server", out);
        for text in &list.value {
            dns.extend(address(text, out).filter(|address| !dns.contains(address)));
        }
        if list.value.len() > MOST_NAME_SERVERS {
            out.push(
                Diagnostic::new(
                    &rules::too_many_name_servers::RULE,
                    format!("{} name servers: the resolver asks the first {MOST_NAME_SERVERS}", list.value.len()),
                )
                .at(list.span, "")
                .help(format!("keep {MOST_NAME_SERVERS} of them (resolv.conf(5))")),
            );
        }
    }
    let mut pool = Vec::new();
    for text in table.pool.iter().flat_map(|list| &list.value) {
        pool.extend(range(text, name, &prefixes, &pool, out));
    }
    if prefixes.is_empty() {
        return None;
    }
    Some(Network {
        name: name.clone(),
        bridge: bridge?.value.clone(),
        prefixes,
        gateways: gateways.into_iter().map(|gateway| gateway.value).collect(),
        dns,
        pool,
    })
}

pub fn kind(address: &IpAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}

/// The name of an interface of Linux: 15 bytes, and what a shell and an XML attribute hold as it is.
fn valid_bridge(text: &Text, out: &mut Vec<Diagnostic>) -> bool {
    let name = text.value.as_str();
    let valid = name.len() <= 15
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
        && !["all", "default", "lo"].contains(&name);
    if !valid {
        out.push(
            Diagnostic::new(&rules::invalid_bridge::RULE, format!("\"{}\" can't be a bridge", name.escape_debug()))
                .at(text.span, "")
                .help("write the bridge's name as `ip link` shows it on the hypervisor, such as \"br0\": at most 15 characters"),
        );
    }
    valid
}

fn prefixes(list: &Texts, out: &mut Vec<Diagnostic>) -> Vec<Spanned<IpPrefix>> {
    let mut prefixes = Vec::new();
    for text in &list.value {
        let parsed = IpPrefix::parse(&text.value).and_then(|prefix| {
            let address = &prefix.address;
            match address.is_multicast() || address.is_loopback() || address.is_unspecified() {
                true => Err("no machines have such addresses".to_owned()),
                false => Ok(prefix),
            }
        });
        match parsed {
            Ok(prefix) => prefixes.push(Spanned::new(prefix, text.span)),
            Err(error) => out.push(
                Diagnostic::new(
                    &rules::invalid_network_prefix::RULE,
                    format!("\"{}\" is not the prefix of a network: {error}", text.value.escape_debug()),
                )
                .at(text.span, "")
                .help("write the lowest address and the length, such as \"192.0.2.0/24\" or \"2001:db8::/64\""),
            ),
        }
    }
    if list.value.is_empty() {
        out.push(
            Diagnostic::new(&rules::invalid_network_prefix::RULE, "a network without prefixes has no addresses")
                .at(list.span, "")
                .help("write what addresses belong to it, such as [\"192.0.2.0/24\"]"),
        );
    }
    prefixes
}

/// An address of one machine.
fn address(text: &Text, out: &mut Vec<Diagnostic>) -> Option<IpAddr> {
    let parsed = text.value.parse::<IpAddr>().ok();
    let found = parsed.filter(|ip| !ip.is_loopback() && !ip.is_unspecified() && !ip.is_multicast());
    if found.is_none() {
        let message = match parsed {
            Some(ip) => format!("{ip} is not the address of one machine"),
            None => format!("\"{}\" is not an IP address", text.value.escape_debug()),
        };
        out.push(
            Diagnostic::new(&rules::invalid_address::RULE, message)
                .at(text.span, "")
                .help("write an IPv4 or IPv6 address, such as \"192.0.2.1\" or \"2001:db8::1\""),
        );
    }
    found
}

fn range(
    text: &Text,
    network: &Text,
    prefixes: &[Spanned<IpPrefix>],
    others: &[Spanned<IpRange>],
    out: &mut Vec<Diagnostic>,
) -> Option<Spanned<IpRange>> {
    let range = match IpRange::parse(&text.value) {
        Ok(range) => range,
        Err(error) => {
            out.push(
                Diagnostic::new(
                    &rules::invalid_pool::RULE,
                    format!("\"{}\" is not a range of addresses: {error}", text.value.escape_debug()),
                )
                .at(text.span, "")
                .help("write the first and the last address, such as \"192.0.2.100-192.0.2.199\""),
            );
            return None;
        }
    };
    let holds = |prefix: &Spanned<IpPrefix>| prefix.value.contains(&range.first) && prefix.value.contains(&range.last);
    if !prefixes.is_empty() && !prefixes.iter().any(holds) {
        out.push(
            Diagnostic::new(
                &rules::address_outside_network::RULE,
                format!("the pool {} is not in the network {}", text.value, network.value),
            )
            .at(text.span, "")
            .also(prefixes[0].span, "the network's prefix")
            .help("write addresses within one of `prefixes`, or add their prefix"),
        );
        return None;
    }
    if let Some(other) =
        others.iter().find(|other| other.value.contains(&range.first) || range.contains(&other.value.first))
    {
        out.push(
            Diagnostic::new(
                &rules::invalid_pool::RULE,
                format!("{} and {} have addresses in common", text.value, other.value),
            )
            .at(text.span, "")
            .also(other.span, "the other one")
            .help("write one range that holds both"),
        );
        return None;
    }
    Some(Spanned::new(range, text.span))
}

/// An address must tell which network it belongs to.
fn overlaps(networks: &BTreeMap<String, Network>, out: &mut Vec<Diagnostic>) {
    let all: Vec<_> = networks.iter().flat_map(|(name, n)| n.prefixes.iter().map(move |p| (name, p))).collect();
    for (i, (name, prefix)) in all.iter().enumerate() {
        if let Some((other_name, other)) = all[..i].iter().find(|(_, other)| other.value.overlaps(&prefix.value)) {
            out.push(
                Diagnostic::new(
                    &rules::network_overlap::RULE,
                    format!("{} of {name} and {} of {other_name} have addresses in common", prefix.value, other.value),
                )
                .at(prefix.span, "")
                .also(other.span, "the other one")
                .help("give each network addresses of its own"),
            );
        }
    }
}
