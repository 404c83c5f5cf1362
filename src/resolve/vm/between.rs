//! What has to fit between virtual machines and what runs them.

use crate::diagnostics::{Diagnostic, rules};
use crate::model::Host;
use crate::model::vm::{Accelerator, Mac, Vm};
use crate::names::HostName;
use crate::source::{Span, Spanned};
use std::collections::{BTreeMap, BTreeSet};

/// What depends on several hosts: hypervisors that are none, circles, MAC addresses; and what a machine takes over from
/// its hypervisor. `with_parents`: hosts that say themselves which machines are before them.
pub fn between(hosts: &mut BTreeMap<HostName, Host>, with_parents: &BTreeSet<&str>, out: &mut Vec<Diagnostic>) {
    macs(hosts, out);
    let hypervisors: BTreeMap<HostName, Option<Vec<Accelerator>>> =
        hosts.iter().map(|(name, host)| (name.clone(), host.hypervisor.as_ref().map(|h| h.accel.clone()))).collect();
    let above: BTreeMap<HostName, Spanned<HostName>> =
        hosts.iter().filter_map(|(name, host)| Some((name.clone(), host.vm.as_ref()?.hypervisor.clone()?))).collect();
    let circles = circles(&above, out);
    for (name, host) in hosts.iter_mut() {
        let Some(vm) = &mut host.vm else { continue };
        let found = vm.hypervisor.as_ref().and_then(|one| Some((one, hypervisors.get(&one.value)?)));
        if let Some((hypervisor, None)) = found {
            out.push(
                Diagnostic::new(&rules::not_a_hypervisor::RULE, format!("{} is not a hypervisor", hypervisor.value))
                    .at(hypervisor.span, "")
                    .help(format!("add [hypervisor] to hosts/{}.toml, or name another machine", hypervisor.value)),
            );
        }
        if vm.accel.is_empty() {
            vm.accel = found.and_then(|(_, accel)| accel.clone()).unwrap_or(Accelerator::DEFAULT.to_vec());
        }
        container(name, vm, out);
        if let Some(hypervisor) =
            vm.hypervisor.clone().filter(|_| !circles.contains(name) && !with_parents.contains(name.as_str()))
        {
            host.monitoring.parents.push(hypervisor);
        }
    }
}

/// What is written of a machine that can only be a container, and would come to nothing.
fn container(name: &HostName, vm: &Vm, out: &mut Vec<Diagnostic>) {
    if vm.accel != [Accelerator::Nspawn] {
        return;
    }
    for (span, what) in vm.machine_only.iter().zip(["firmware", "disks"]) {
        let Some(span) = span else { continue };
        out.push(
            Diagnostic::new(
                &rules::container_settings::RULE,
                format!("{name} can only be a container (accel = [\"nspawn\"]): it has no {what}"),
            )
            .at(*span, "")
            .help("remove it, or add \"kvm\" or \"tcg\" to `accel`"),
        );
    }
}

/// Machines that run each other, each circle reported once; those that are in one.
fn circles(above: &BTreeMap<HostName, Spanned<HostName>>, out: &mut Vec<Diagnostic>) -> BTreeSet<HostName> {
    let mut found = BTreeSet::new();
    // Machine → from which one it was come by.
    let mut seen: BTreeMap<&HostName, &HostName> = BTreeMap::new();
    for start in above.keys() {
        let mut way: Vec<&HostName> = Vec::new();
        let mut at = start;
        let closed = loop {
            if let Some(from) = seen.get(at) {
                break *from == start;
            }
            seen.insert(at, start);
            way.push(at);
            match above.get(at) {
                Some(next) => at = &next.value,
                None => break false,
            }
        };
        let Some(from) = way.iter().position(|name| *name == at).filter(|_| closed) else { continue };
        let circle = &way[from..];
        let names: Vec<&str> = circle.iter().map(|name| name.as_str()).collect();
        let mut diagnostic = Diagnostic::new(
            &rules::hypervisor_cycle::RULE,
            format!("machines run each other: {} → {}", names.join(" → "), names[0]),
        );
        for (i, name) in circle.iter().enumerate() {
            let hypervisor = &above[*name];
            let text = format!("{name} is run by {}", hypervisor.value);
            diagnostic =
                if i == 0 { diagnostic.at(hypervisor.span, text) } else { diagnostic.also(hypervisor.span, text) };
        }
        out.push(diagnostic.help("name for each the machine that runs it"));
        found.extend(circle.iter().map(|name| (*name).clone()));
    }
    found
}

fn macs(hosts: &BTreeMap<HostName, Host>, out: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<Mac, (&HostName, Span)> = BTreeMap::new();
    for (name, host) in hosts {
        for mac in host.vm.iter().flat_map(|vm| &vm.interfaces).filter_map(|interface| interface.mac.as_ref()) {
            match seen.get(&mac.value) {
                Some((other, first)) => out.push(
                    Diagnostic::new(
                        &rules::mac_used_twice::RULE,
                        format!("{} is the MAC address of {other} and of {name}", mac.value),
                    )
                    .at(mac.span, "here")
                    .also(*first, format!("and here, of {other}"))
                    .help("remove one of them: `debrole provision` writes another"),
                ),
                None => {
                    seen.insert(mac.value, (name, mac.span));
                }
            }
        }
    }
}
