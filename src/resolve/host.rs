//! `hosts/<fqdn>.toml` → [`Host`].

use super::content::{self, Site};
use super::text::duplicates;
use super::{Facts, monitoring, people, role, values, vm};
use crate::diagnostics::{Diagnostic, rules};
use crate::model::Host;
use crate::names::HostName;
use crate::schema::{One, Texts, ast};
use crate::source::{Sources, Spanned};
use crate::tree::Definition;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What could be made of the host; None where it has no valid release.
pub fn resolve(
    name: &str,
    definition: &Definition,
    ast: &ast::Host,
    facts: &Facts,
    sources: &Sources,
    out: &mut Vec<Diagnostic>,
) -> Option<Host> {
    let host = HostName::parse(name).ok()?;
    let mut site = Site {
        facts,
        definition,
        sources,
        folder: format!("hosts/{name}"),
        package: facts.prefix.as_ref().map(|prefix| format!("{prefix}-host-{name}")),
        used: BTreeSet::new(),
    };
    let summary = ast.summary.as_ref().filter(|text| role::synopsis(text, out));
    let roles = ast.roles.as_ref().map(|list| role::role_names(list, facts, out)).unwrap_or_default();
    let release =
        ast.release.as_ref().and_then(|text| role::release(text, facts, out).map(|r| Spanned::new(r, text.span)));
    let told = out.len();
    let addresses = ast.addresses.as_ref().map(|list| parse_addresses(list, out)).unwrap_or_default();
    let unread = out[told..].iter().any(Diagnostic::is_error);
    let values = values::resolve(ast.values.as_ref(), "host", values::HOST_BUILT_IN, out);
    let host_keys = people::host_keys(ast.ssh_host_key.as_ref(), out);
    let retired_host_keys = people::host_keys(ast.retired_ssh_host_key.as_ref(), out);
    let mut content = content::resolve(&ast.content, &mut site, out);
    if let (Some(release), Some(releases)) = (&release, &facts.releases) {
        monitoring::programs(&content, release, releases, out).add(&mut content);
    }
    let own = ast.monitoring.as_ref().map(|One(table)| table);
    let own = monitoring::host(&host, own, facts, out);
    let mut wrong = Vec::new();
    let virtual_machine = ast.vm.as_ref().and_then(|One(table)| vm::vm(&host, table, &addresses, facts, &mut wrong));
    // An address that can't be read is not missing, and what it leaves open is not open.
    wrong.retain(|diagnostic| !unread || diagnostic.rule.code != rules::vm_without_address::RULE.code);
    out.extend(wrong);
    let virtual_machine = virtual_machine.filter(|_| !unread);
    let hypervisor = ast.hypervisor.as_ref().map(|One(table)| vm::hypervisor(&host, table, out));
    content::clashes(&content, out);
    content::unused(&site, out);
    Some(Host {
        name: Spanned::new(host, ast.span),
        summary: summary.map(|text| text.value.clone()),
        roles,
        release: release?,
        addresses,
        host_keys,
        retired_host_keys,
        values,
        monitoring: own,
        // What roles say is needed for these: `backup::on_host` adds them.
        backup_jobs: BTreeMap::new(),
        vm: virtual_machine,
        hypervisor,
        content,
    })
}

pub(super) fn parse_addresses(list: &Texts, out: &mut Vec<Diagnostic>) -> Vec<Spanned<IpAddr>> {
    duplicates(list, "the address", out);
    let mut addresses: Vec<Spanned<IpAddr>> = Vec::new();
    let mut seen = BTreeSet::new();
    for item in &list.value {
        let parsed = item.value.parse::<IpAddr>();
        let (message, help) = match parsed {
            Ok(ip) if ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() => (
                format!("{ip} is not the address of one machine"),
                "write an address that other machines reach it at".to_owned(),
            ),
            Ok(ip) => {
                if seen.insert(ip) {
                    addresses.push(Spanned::new(ip, item.span));
                }
                continue;
            }
            Err(_) => {
                let help = match item.value.split_once('/') {
                    Some((address, _)) if address.parse::<IpAddr>().is_ok() => {
                        format!("write it without the network's length: \"{address}\"")
                    }
                    _ => "write an IPv4 or IPv6 address, such as \"192.0.2.10\" or \"2001:db8::10\"".to_owned(),
                };
                (format!("\"{}\" is not an IP address", item.value.escape_debug()), help)
            }
        };
        out.push(Diagnostic::new(&rules::invalid_address::RULE, message).at(item.span, "").help(help));
    }
    addresses
}

/// Addresses that two hosts have.
pub fn addresses(hosts: &BTreeMap<HostName, Host>, out: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<IpAddr, (&HostName, &Spanned<IpAddr>)> = BTreeMap::new();
    for (name, host) in hosts {
        // A virtual machine may have more than those at which the others reach it.
        let interfaces = host.vm.iter().flat_map(|vm| &vm.interfaces).filter(|interface| interface.own_addresses);
        let more = interfaces.flat_map(|interface| &interface.addresses);
        let more = more.filter(|more| host.addresses.iter().all(|address| address.value != more.value));
        for address in host.addresses.iter().chain(more) {
            match seen.get(&address.value) {
                Some((other, first)) => out.push(
                    Diagnostic::new(
                        &rules::address_used_twice::RULE,
                        format!("{} is the address of {other} and of {name}", address.value),
                    )
                    .at(address.span, "here")
                    .also(first.span, format!("and here, of {other}"))
                    .help("give each machine its own"),
                ),
                None => {
                    seen.insert(address.value, (name, address));
                }
            }
        }
    }
}
