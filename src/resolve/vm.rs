//! `[vm]` and `[hypervisor]` of a host, and what has to fit between hosts.

mod between;
mod disk;
mod hypervisor;
mod interface;

pub use between::between;
pub use hypervisor::hypervisor;

use super::Facts;
use super::monitoring::{choice, known_host};
use crate::diagnostics::{Diagnostic, rules};
use crate::model::vm::{Firmware, Vm};
use crate::names::HostName;
use crate::schema::{Number, Text, ast};
use crate::source::Spanned;
use disk::disks;
use hypervisor::accelerators;
use interface::interfaces;
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
