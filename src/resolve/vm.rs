//! `[vm]` and `[hypervisor]` of a host, and what has to fit between hosts.

use super::Facts;
use super::monitoring::{choice, known_host};
use super::network::kind;
use crate::diagnostics::{Diagnostic, rules};
use crate::model::Host;
use crate::model::vm::{Accelerator, Disk, FileSystem, Firmware, Hypervisor, Interface, Mac, Network, Vm};
use crate::names::{HostName, MachinePath};
use crate::near::nearest;
use crate::schema::{Many, Number, Text, Texts, ast};
use crate::source::{Span, Spanned};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::RangeInclusive;

const M: u64 = 1 << 20;
const G: u64 = 1 << 30;
const T: u64 = 1 << 40;
const UNITS: [(char, u64); 3] = [('M', M), ('G', G), ('T', T)];
/// Debian's installer wants as much to be comfortable; libvirt and QEMU would take any.
const MEMORY: RangeInclusive<u64> = 256 * M..=4096 * G;
const DISK: RangeInclusive<u64> = 2 * G..=64 * T;
const DEFAULT_MEMORY: u64 = G;
const DEFAULT_DISK: u64 = 8 * G;
/// What is there before file systems are mounted, or is no place for one. `/usr/local` is below one of them and is.
const NO_MOUNTS: [&str; 16] = [
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/lost+found",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lock",
    "/var/run",
];

/// `[hypervisor]` of a host. What is wrong in it is reported, and the default taken.
pub fn hypervisor(name: &HostName, ast: &ast::Hypervisor, out: &mut Vec<Diagnostic>) -> Hypervisor {
    let uri = ast.uri.as_ref().filter(|text| valid_uri(text, out));
    let pool = ast.pool.as_ref().filter(|text| {
        let valid = (1..=64).contains(&text.value.len())
            && text.value.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.value.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
        if !valid {
            out.push(
                Diagnostic::new(
                    &rules::invalid_storage_pool::RULE,
                    format!("\"{}\" can't be a storage pool", text.value.escape_debug()),
                )
                .at(text.span, "")
                .help("write its name as `virsh pool-list --all` shows it, such as \"default\""),
            );
        }
        valid
    });
    Hypervisor {
        uri: uri.map_or_else(|| format!("qemu+ssh://root@{name}/system"), |text| text.value.clone()),
        accel: ast.accel.as_ref().and_then(|list| accelerators(list, out)).unwrap_or(Accelerator::DEFAULT.to_vec()),
        pool: pool.map_or("default", |text| &text.value).to_owned(),
    }
}

/// A connection to libvirt's QEMU driver. What could have another program run here, or the other side not looked at, is
/// refused: `command`, `netcat` and `no_verify` among the parameters (https://libvirt.org/uri.html).
fn valid_uri(text: &Text, out: &mut Vec<Diagnostic>) -> bool {
    const PARAMETERS: [&str; 6] = ["keyfile", "known_hosts", "mode", "no_tty", "proxy", "socket"];
    let problem = || -> Option<String> {
        let uri = text.value.as_str();
        if let Some(c) = uri.chars().find(|c| !c.is_ascii_alphanumeric() && !"+:/@.-_[]?&=~%".contains(*c)) {
            return Some(format!("it holds {c:?}"));
        }
        let (scheme, rest) = uri.split_once("://")?;
        if !["qemu", "qemu+ssh", "qemu+tls", "qemu+unix", "qemu+libssh", "qemu+libssh2"].contains(&scheme) {
            return Some(format!("\"{scheme}\" is no way to libvirt's QEMU"));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if !["system", "session"].contains(&path) {
            return Some("it ends in /system or /session".to_owned());
        }
        let machine = host.rsplit('@').next().unwrap_or(host);
        if host.starts_with('-') || machine.starts_with('-') || host.matches('@').count() > 1 {
            return Some("its host is not the name of a machine".to_owned());
        }
        if scheme.ends_with("ssh") && machine.is_empty() {
            return Some("it names no host".to_owned());
        }
        let parameters = query.split('&').filter(|part| !part.is_empty());
        let mut names = parameters.map(|part| part.split('=').next().unwrap_or(part));
        let name = names.find(|name| !PARAMETERS.contains(name))?;
        Some(format!("the parameter \"{name}\" is none of {}", PARAMETERS.join(", ")))
    };
    let problem = match text.value.contains("://") {
        true => problem(),
        false => Some("it has no \"://\"".to_owned()),
    };
    let Some(problem) = problem else { return true };
    out.push(
        Diagnostic::new(
            &rules::invalid_uri::RULE,
            format!("\"{}\" is not a connection of libvirt to use here: {problem}", text.value.escape_debug()),
        )
        .at(text.span, "")
        .help("write it as in virsh(1), such as \"qemu+ssh://root@kvm1.example.org/system\" or \"qemu:///system\""),
    );
    false
}

/// The accelerators, each once. None where one is unknown or there is none.
fn accelerators(list: &Texts, out: &mut Vec<Diagnostic>) -> Option<Vec<Accelerator>> {
    super::text::duplicates(list, "the accelerator", out);
    let names = Accelerator::ALL.map(Accelerator::as_str);
    let mut found = Vec::new();
    let mut valid = true;
    for text in &list.value {
        let named = choice(Some(text), "", &names, "an accelerator", out);
        match Accelerator::ALL.into_iter().find(|accelerator| Some(accelerator.as_str()) == named) {
            Some(accelerator) if !found.contains(&accelerator) => found.push(accelerator),
            Some(_) => {}
            None => valid = false,
        }
    }
    if list.value.is_empty() {
        valid = false;
        out.push(
            Diagnostic::new(
                &rules::no_accelerator::RULE,
                "without an accelerator there is nothing to run the machine by",
            )
            .at(list.span, "")
            .help("write [\"kvm\"], or remove the key"),
        );
    }
    valid.then_some(found)
}

/// A number and a unit, within bounds, as bytes.
fn size(text: &Text, units: &str, range: RangeInclusive<u64>, example: &str, out: &mut Vec<Diagnostic>) -> Option<u64> {
    let spelt = |bytes: u64| {
        let (unit, size) = UNITS.iter().rev().find(|(unit, size)| units.contains(*unit) && bytes >= *size)?;
        Some(format!("{}{unit}", bytes / size))
    };
    let value = text.value.as_str();
    let unit = UNITS.iter().find(|(unit, _)| units.contains(*unit) && value.ends_with(*unit));
    let digits = value.get(..value.len().saturating_sub(1)).unwrap_or("");
    let number = digits.parse::<u64>().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()));
    let Some((number, (_, unit))) = number.zip(unit) else {
        let units: Vec<String> = units.chars().map(|unit| unit.to_string()).collect();
        let (last, most) = units.split_last().expect("there are units");
        out.push(
            Diagnostic::new(&rules::invalid_size::RULE, format!("\"{}\" is not a size", value.escape_debug()))
                .at(text.span, "")
                .help(format!("write a number and {} or {last}, such as \"{example}\"", most.join(", "))),
        );
        return None;
    };
    let bytes = number.saturating_mul(*unit);
    if range.contains(&bytes) {
        return Some(bytes);
    }
    let bounds = [*range.start(), *range.end()].map(|bytes| spelt(bytes).unwrap_or_default());
    out.push(
        Diagnostic::new(
            &rules::size_out_of_range::RULE,
            format!("{value} is not between {} and {}", bounds[0], bounds[1]),
        )
        .at(text.span, "")
        .help(format!("write a size such as \"{example}\"")),
    );
    None
}

/// `[vm]` of a host. None where something of it is wrong.
pub fn vm(
    name: &HostName,
    ast: &ast::Vm,
    addresses: &[Spanned<IpAddr>],
    facts: &Facts,
    out: &mut Vec<Diagnostic>,
) -> Option<Vm> {
    let hypervisor = ast.hypervisor.as_ref().map(|text| parent(text, name, facts, out));
    let architecture =
        choice(ast.architecture.as_ref(), "amd64", &["amd64"], "an architecture that machines can be made for", out);
    if let (Some("amd64"), Some(architectures)) = (architecture, &facts.architectures)
        && !architectures.iter().any(|known| known.as_str() == "amd64")
    {
        let names: Vec<&str> = architectures.iter().map(|known| known.as_str()).collect();
        out.push(
            Diagnostic::new(
                &rules::invalid_architecture::RULE,
                format!("machines are made for amd64 alone, and the fleet is for {}", names.join(" and ")),
            )
            .at(ast.architecture.as_ref().map_or(ast.span, |text| text.span), "")
            .help("add \"amd64\" to `architectures` in debrole.toml, or remove [vm]"),
        );
    }
    let cpus = cpus(ast.cpus.as_ref(), out);
    let memory = match &ast.memory {
        Some(text) => size(text, "MG", MEMORY, "2G", out),
        None => Some(DEFAULT_MEMORY),
    };
    let firmware = choice(ast.firmware.as_ref(), "bios", &Firmware::ALL.map(Firmware::as_str), "a firmware", out);
    let firmware = Firmware::ALL.into_iter().find(|one| Some(one.as_str()) == firmware);
    // Without: what its hypervisor says, when all are known.
    let accel = ast.accel.as_ref().map(|list| accelerators(list, out));
    let disks = disks(ast.disk.as_ref(), ast.span, out);
    let interfaces = interfaces(name, ast, addresses, facts, out);
    Some(Vm {
        hypervisor: match hypervisor {
            Some(known) => Some(known?),
            None => None,
        },
        architecture: architecture.map(|_| "amd64")?,
        cpus: cpus?,
        memory: memory? / M,
        firmware: firmware?,
        accel: match accel {
            Some(known) => known?,
            None => Vec::new(),
        },
        autostart: ast.autostart.as_ref().is_none_or(|flag| flag.value),
        disks: disks?,
        interfaces: interfaces?,
        span: ast.span,
        machine_only: [
            ast.firmware.as_ref().map(|text| text.span),
            ast.disk.as_ref().and_then(|many| many.0.first()).map(|table| table.span),
        ],
    })
}

fn cpus(number: Option<&Number>, out: &mut Vec<Diagnostic>) -> Option<u32> {
    let Some(number) = number else { return Some(1) };
    let cpus = u32::try_from(number.value).ok().filter(|cpus| (1..=512).contains(cpus));
    if cpus.is_none() {
        out.push(
            Diagnostic::new(&rules::number_out_of_range::RULE, format!("{} is not between 1 and 512", number.value))
                .at(number.span, "")
                .help("write how many processors the machine has, from 1 to 512"),
        );
    }
    cpus
}

fn parent(text: &Text, host: &HostName, facts: &Facts, out: &mut Vec<Diagnostic>) -> Option<Spanned<HostName>> {
    if text.value == host.as_str() {
        out.push(
            Diagnostic::new(&rules::hypervisor_cycle::RULE, format!("{host} can't be its own hypervisor"))
                .at(text.span, "")
                .help("name the machine that runs it; without the key that is the one where it is provisioned"),
        );
        return None;
    }
    known_host(text, facts, out)
}

fn disks(many: Option<&Many<ast::Disk>>, span: Span, out: &mut Vec<Diagnostic>) -> Option<Vec<Disk>> {
    let mut disks: Vec<Disk> = Vec::new();
    let mut names: BTreeMap<String, Span> = BTreeMap::new();
    let mut mounts: Vec<(String, Span)> = Vec::new();
    let mut valid = true;
    for table in many.iter().flat_map(|many| &many.0) {
        let disk = disk(table, out);
        valid &= disk.is_some();
        let Some(disk) = disk else { continue };
        let place = table.name.as_ref().map_or(table.span, |text| text.span);
        if let Some(first) = names.insert(disk.name.clone(), place) {
            valid = false;
            out.push(
                Diagnostic::new(&rules::duplicate_name::RULE, format!("two disks are called \"{}\"", disk.name))
                    .at(place, "")
                    .also(first, "the other one")
                    .help("give each disk its own name"),
            );
        }
        let (mount, place) = match &disk.mount {
            Some(path) => (path.value.as_str(), path.span),
            None => ("/", table.mount.as_ref().map_or(table.span, |text| text.span)),
        };
        let below = |a: &str, b: &str| b != "/" && a.strip_prefix(b).is_some_and(|rest| rest.starts_with('/'));
        if let Some((other, first)) =
            mounts.iter().find(|(other, _)| mount == other || below(mount, other) || below(other, mount))
        {
            valid = false;
            let message = match mount == other {
                true => format!("two disks are mounted at {mount}"),
                false => format!("of {mount} and {other} one is mounted below the other"),
            };
            out.push(
                Diagnostic::new(&rules::mount_clash::RULE, message)
                    .at(place, "")
                    .also(*first, "the other one")
                    .help("mount each disk at a place of its own; the one without `mount` is /"),
            );
        }
        mounts.push((mount.to_owned(), place));
        disks.push(disk);
    }
    if !disks.iter().any(|disk| disk.mount.is_none()) {
        if let Some(place) = names.get("root") {
            valid = false;
            out.push(
                Diagnostic::new(&rules::duplicate_name::RULE, "\"root\" is the disk at /, and this one is not")
                    .at(*place, "")
                    .help("give it another name"),
            );
        }
        let size = DEFAULT_DISK;
        disks.push(Disk { name: "root".to_owned(), size, file_system: FileSystem::Ext4, mount: None, span });
    }
    disks.sort_by_key(|disk| disk.mount.is_some());
    valid.then_some(disks)
}

fn disk(table: &ast::Disk, out: &mut Vec<Diagnostic>) -> Option<Disk> {
    let is_root = table.mount.as_ref().is_none_or(|text| text.value == "/");
    let mount = table.mount.as_ref().filter(|_| !is_root).map(|text| mount(text, out));
    let name = match &table.name {
        Some(text) => disk_name(text, out),
        None if is_root => Some("root".to_owned()),
        None => {
            out.push(
                Diagnostic::new(&rules::missing_key::RULE, "a disk that is not / needs the key \"name\"")
                    .at(table.span, "\"name\" is missing here")
                    .help("add name = \"data\""),
            );
            None
        }
    };
    let size = match &table.size {
        Some(text) => size(text, "MGT", DISK, "20G", out),
        None => Some(DEFAULT_DISK),
    };
    let file_system = choice(
        table.file_system.as_ref(),
        "ext4",
        &FileSystem::ALL.map(FileSystem::as_str),
        "a file system that disks can have",
        out,
    );
    Some(Disk {
        name: name?,
        size: size?,
        file_system: FileSystem::ALL.into_iter().find(|one| Some(one.as_str()) == file_system)?,
        mount: match mount {
            Some(known) => Some(known?),
            None => None,
        },
        span: table.span,
    })
}

/// It becomes part of a file's name, and a word of the hypervisor's.
fn disk_name(text: &Text, out: &mut Vec<Diagnostic>) -> Option<String> {
    let name = text.value.as_str();
    let valid = name.len() <= 16
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if valid {
        return Some(name.to_owned());
    }
    out.push(
        Diagnostic::new(&rules::invalid_disk_name::RULE, format!("\"{}\" can't name a disk", name.escape_debug()))
            .at(text.span, "")
            .help("write lower case letters, digits and inner hyphens, a letter first, at most 16, such as \"data\""),
    );
    None
}

fn mount(text: &Text, out: &mut Vec<Diagnostic>) -> Option<Spanned<MachinePath>> {
    let within =
        |path: &str, top: &str| path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let (why, help) = match MachinePath::parse(&text.value) {
        Err(error) => (error, "write an absolute path, such as \"/srv\"".to_owned()),
        Ok(path) => {
            let taken = NO_MOUNTS.iter().find(|top| within(path.as_str(), top));
            match taken.filter(|_| !within(path.as_str(), "/usr/local")) {
                None => return Some(Spanned::new(path, text.span)),
                Some(top) => (
                    format!("{top} belongs to the system"),
                    "mount it where data is, such as \"/srv\" or \"/var/lib/postgresql\"".to_owned(),
                ),
            }
        }
    };
    out.push(
        Diagnostic::new(
            &rules::invalid_mount::RULE,
            format!("a disk can't be mounted at \"{}\": {why}", text.value.escape_debug()),
        )
        .at(text.span, "")
        .help(help),
    );
    None
}

fn interfaces(
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
    let own = table.addresses.as_ref().map(|list| super::host::parse_addresses(list, out));
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
