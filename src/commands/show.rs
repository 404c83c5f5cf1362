//! `debrole show NAME`: what a role or a host compiles to, what a person may do.

mod backups;

use super::load::{self, Loaded};
use super::provision::wanted::{self, NotYet};
use super::{Failure, Outcome, access};
use crate::cli::{self, Global};
use crate::reporter::Reporter;
use debrole::diagnostics::Diagnostic;
use debrole::lower::Keyring;
use debrole::model::{Host, Model};
use debrole::near;
use debrole::plan::{DebContent, Entry, PackagePlan, Variant};
use std::fmt::Write;

pub fn run(args: &cli::Show, global: &Global, reporter: &Reporter) -> Outcome {
    let places = load::places(global, reporter)?;
    let mut loaded = load::load(&places);
    let keyring = super::key::public(&places).unwrap_or(Keyring { binary: Vec::new(), armored: Vec::new() });
    let plans = load::lower(&mut loaded, &keyring, super::key::now());
    if loaded.has_errors() {
        return loaded.report(reporter);
    }
    let user = loaded.model.as_ref().and_then(|model| model.people.users.get(args.name.as_str()));
    if let Some(user) = user.filter(|_| args.file.is_none() && args.release.is_none()) {
        access::show_user(user, &loaded, &plans, &places, &keyring, reporter);
        return Ok(());
    }
    let plan = find(&loaded, &plans, args, reporter)?;
    // Of the warnings those about its own file; `debrole check` has all.
    let file = plan.span.map(|span| span.file);
    let about = |d: &Diagnostic| file.is_some() && d.primary.as_ref().map(|label| label.span.file) == file;
    let own: Vec<Diagnostic> = loaded.diagnostics.iter().filter(|d| about(d)).cloned().collect();
    reporter.diagnostics(&own, &loaded.tree.sources);
    let variants: Vec<&Variant> = plan
        .variants
        .iter()
        .filter(|v| args.release.as_ref().is_none_or(|r| v.releases.iter().any(|have| have.as_str() == r)))
        .collect();
    if variants.is_empty() {
        let releases: Vec<&str> = plan.variants.iter().flat_map(|v| &v.releases).map(|r| r.as_str()).collect();
        let hint = match args.release.as_ref().and_then(|r| near::nearest(r, releases.iter().copied())) {
            Some(near) => format!(": did you mean \"{near}\"?"),
            None => String::new(),
        };
        reporter.refusal(&format!("{} is published for {} only{hint}", plan.name, releases.join(", ")));
        return Err(Failure::Wrong);
    }
    if let Some(path) = &args.file {
        return show_file(plan, variants[0], path, reporter);
    }
    for variant in &variants {
        reporter.result(text(plan, variant, &loaded).trim_end());
    }
    if let Some((model, host)) = loaded.model.as_ref().and_then(|model| Some((model, plan_host(model, plan)?))) {
        for (name, part) in [("vm", machine(model, host)), ("backups", backups::jobs(model, host))] {
            if let Some((text, json)) = part {
                reporter.result(format_args!("\n{}", text.trim_end()));
                reporter.member(name, json);
            }
        }
    }
    if let Some((text, json)) = access::of_place(plan, &loaded, &plans, &places, &keyring) {
        reporter.result(format_args!("\n{}", text.trim_end()));
        reporter.member("access", json);
    }
    reporter.member("package", &plan.name);
    reporter.member("variants", variants.iter().map(|v| json(v)).collect::<Vec<_>>());
    Ok(())
}

fn find<'a>(
    loaded: &Loaded,
    plans: &'a [PackagePlan],
    args: &cli::Show,
    reporter: &Reporter,
) -> Result<&'a PackagePlan, Failure> {
    let prefix = loaded.model.as_ref().map_or("", |m| m.fleet.prefix.as_str());
    let wanted = &args.name;
    let candidates = [
        format!("{prefix}-role-{wanted}"),
        format!("{prefix}-host-{wanted}"),
        format!("{prefix}-access-{wanted}"),
        wanted.clone(),
        format!("{prefix}-{wanted}"),
    ];
    for candidate in &candidates {
        if let Some(plan) = plans.iter().find(|plan| plan.name.as_str() == candidate) {
            return Ok(plan);
        }
    }
    let names = plans.iter().map(|plan| {
        let name = plan.name.as_str();
        name.strip_prefix(&format!("{prefix}-role-"))
            .or_else(|| name.strip_prefix(&format!("{prefix}-host-")))
            .unwrap_or(name)
    });
    let hint = match near::nearest(wanted, names) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => "roles are in roles/, hosts in hosts/".to_owned(),
    };
    reporter.refusal(&format!("there is no role, host or package \"{wanted}\": {hint}"));
    Err(Failure::Wrong)
}

/// Where a package keeps its manifest, its payload and its fragments, if it has any.
fn payload_root(deb: &DebContent) -> Option<&str> {
    deb.entries
        .keys()
        .find(|path| path.as_str().starts_with("/usr/share/") && path.as_str().ends_with("/manifest"))
        .map(|path| path.parent())
}

fn text(plan: &PackagePlan, variant: &Variant, loaded: &Loaded) -> String {
    let mut out = String::new();
    let deb = &variant.deb;
    let releases: Vec<&str> = variant.releases.iter().map(|r| r.as_str()).collect();
    let from =
        plan.span.map(|span| format!(", from {}", loaded.tree.sources.path(span.file).display())).unwrap_or_default();
    let _ = writeln!(out, "{} on {}{from}", plan.name, releases.join(", "));
    let _ = writeln!(out, "  {}", deb.summary);
    for (field, relations) in &deb.relations {
        let list: Vec<String> = relations.iter().map(ToString::to_string).collect();
        let _ = writeln!(out, "  {}: {}", field.control_name(), list.join(", "));
    }
    let root = payload_root(deb);
    let in_place: Vec<_> =
        deb.entries.iter().filter(|(path, _)| root.is_none_or(|root| !path.as_str().starts_with(root))).collect();
    if !in_place.is_empty() {
        let _ = writeln!(out, "\n  in place:");
        for (path, entry) in in_place {
            let _ = match entry {
                Entry::File { mode, bytes } => writeln!(out, "    {path} ({mode:04o}, {} bytes)", bytes.len()),
                Entry::Symlink { target } => writeln!(out, "    {path} -> {target}"),
                Entry::Directory { mode } => writeln!(out, "    {path}/ ({mode:04o})"),
            };
        }
    }
    if let Some(manifest) = manifest(deb, root) {
        let _ = writeln!(out, "\n  applied on the machine:");
        for line in manifest.lines().skip(2) {
            // The hash at the end is for the machine, not for people.
            let line = match line.rsplit_once(' ') {
                Some((rest, hash)) if hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => rest,
                _ => line,
            };
            let _ = match line.strip_prefix("host-bound ") {
                Some(path) => writeln!(
                    out,
                    "    host-bound {path}: comes with each machine's own package, its services wait for it \
                     (`debrole show HOST --file {path}`)"
                ),
                None => match line.strip_prefix("host-bound-secret ") {
                    Some(path) => writeln!(
                        out,
                        "    host-bound-secret {path}: comes with each machine's own package, its services wait for it"
                    ),
                    None => writeln!(out, "    {line}"),
                },
            };
        }
        for (path, owner, secrets) in secret_files(deb, root) {
            let _ = writeln!(out, "    secret {path} 0400 {owner}, of {}", secrets.join(" and "));
        }
        if root.is_some_and(|root| deb.entries.contains_key(format!("{root}/teardown").as_str())) {
            let _ = writeln!(out, "    teardown (when the package is removed)");
        }
    }
    if !deb.scripts.is_empty() {
        let names: Vec<&str> = deb.scripts.keys().map(|member| member.file_name()).collect();
        let _ = writeln!(out, "\n  scripts: {}", names.join(", "));
    }
    out
}

/// The host whose package it is.
fn plan_host<'m>(model: &'m Model, plan: &PackagePlan) -> Option<&'m Host> {
    let prefix = &model.fleet.prefix;
    model.hosts.values().find(|host| prefix.host_package(&host.name) == plan.name)
}

/// What a virtual machine is, and what of it is still open; None of another.
fn machine(model: &Model, host: &Host) -> Option<(String, serde_json::Value)> {
    let vm = host.vm.as_ref()?;
    let home = wanted::home(model, host)?;
    let open = match wanted::machine(model, host) {
        Err(NotYet::Open(open)) => open.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    let size = |bytes: u64| match bytes {
        bytes if bytes.is_multiple_of(1 << 30) => format!("{}G", bytes >> 30),
        bytes => format!("{}M", bytes >> 20),
    };
    let accel: Vec<&str> = vm.accel.iter().map(|one| one.as_str()).collect();
    let mut out = String::from("  virtual machine:\n");
    let _ = match (home.host, home.uri) {
        (Some(host), Some(uri)) => writeln!(out, "    on {host} ({uri}, pool {})", home.pool),
        _ => writeln!(out, "    on the machine where `debrole provision` runs"),
    };
    let _ = writeln!(
        out,
        "    {} processor{}, {} of memory, {}, by {}; {}",
        vm.cpus,
        if vm.cpus == 1 { "" } else { "s" },
        size(vm.memory << 20),
        vm.firmware.as_str(),
        accel.join(", else "),
        if vm.autostart { "starts with its hypervisor" } else { "does not start by itself" },
    );
    let mount = |disk: &debrole::model::vm::Disk| disk.mount.as_ref().map_or("/".to_owned(), |path| path.to_string());
    for disk in &vm.disks {
        let _ = writeln!(
            out,
            "    disk {}: {} {} at {}",
            disk.name,
            size(disk.size),
            disk.file_system.as_str(),
            mount(disk)
        );
    }
    let bridge = |name: &str| model.fleet.networks.get(name).map_or("", |network| network.bridge.as_str());
    for interface in &vm.interfaces {
        let name = &interface.network.value;
        let mac = interface.mac.as_ref().map(|mac| format!(" {}", mac.value)).unwrap_or_default();
        let addresses: Vec<String> = interface.addresses.iter().map(|address| address.value.to_string()).collect();
        let addresses = if addresses.is_empty() { "no address".to_owned() } else { addresses.join(", ") };
        let _ = writeln!(out, "    network {name} (bridge {}){mac}: {addresses}", bridge(name));
    }
    if !open.is_empty() {
        let _ = writeln!(out, "    `debrole provision {}` chooses {}", host.name.value, open.join(", "));
    }
    let json = serde_json::json!({
        "hypervisor": home.host,
        "uri": home.uri,
        "pool": home.pool,
        "cpus": vm.cpus,
        "memory": vm.memory << 20,
        "firmware": vm.firmware.as_str(),
        "accel": accel,
        "autostart": vm.autostart,
        "disks": vm.disks.iter().map(|disk| serde_json::json!({
            "name": disk.name, "size": disk.size, "file_system": disk.file_system.as_str(), "mount": mount(disk),
        })).collect::<Vec<_>>(),
        "networks": vm.interfaces.iter().map(|interface| serde_json::json!({
            "name": interface.network.value,
            "bridge": bridge(&interface.network.value),
            "mac": interface.mac.as_ref().map(|mac| mac.value.to_string()),
            "addresses": interface.addresses.iter().map(|address| address.value).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "open": open,
    });
    Some((out, json))
}

/// The files that are made of secrets on the machine: below `/run/<prefix>-secrets/` the path, the owner, the secrets.
fn secret_files(deb: &DebContent, root: Option<&str>) -> Vec<(String, String, Vec<String>)> {
    let path = format!("{}/secrets/list", root.unwrap_or_default());
    let Some(Entry::File { bytes, .. }) = deb.entries.get(path.as_str()) else { return Vec::new() };
    let mut files: Vec<(String, String, Vec<String>)> = Vec::new();
    for line in String::from_utf8_lossy(bytes).lines() {
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["out", path, owner] => files.push((path.to_string(), owner.to_string(), Vec::new())),
            ["secret", name] => {
                if let Some((.., secrets)) = files.last_mut()
                    && !secrets.iter().any(|known| known == name)
                {
                    secrets.push(name.to_string());
                }
            }
            _ => {}
        }
    }
    files
}

fn manifest(deb: &DebContent, root: Option<&str>) -> Option<String> {
    let path = format!("{}/manifest", root?);
    match deb.entries.get(path.as_str())? {
        Entry::File { bytes, .. } => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }
}

/// Whether the path's file comes with each machine's host package.
fn host_bound(deb: &DebContent, path: &str) -> bool {
    let line = format!("host-bound {path}");
    manifest(deb, payload_root(deb)).is_some_and(|manifest| manifest.lines().any(|l| l == line))
}

fn show_file(plan: &PackagePlan, variant: &Variant, path: &str, reporter: &Reporter) -> Outcome {
    let deb = &variant.deb;
    let payload = payload_root(deb).map(|root| format!("{root}/files{path}"));
    let entry = payload.and_then(|p| deb.entries.get(p.as_str())).or_else(|| deb.entries.get(path));
    match entry {
        Some(Entry::File { bytes, .. }) => {
            let content = String::from_utf8_lossy(bytes);
            reporter.result(content.strip_suffix('\n').unwrap_or(&content));
            reporter.member("content", &content);
            Ok(())
        }
        Some(Entry::Symlink { target }) => {
            reporter.result(format_args!("{path} -> {target}"));
            reporter.member("target", target);
            Ok(())
        }
        Some(Entry::Directory { .. }) | None if host_bound(deb, path) => {
            reporter.refusal(&format!(
                "{path} differs from host to host: `debrole show HOST --file {path}` prints it as one of {}'s machines has it",
                plan.name
            ));
            Err(Failure::Wrong)
        }
        Some(Entry::Directory { .. }) | None => {
            reporter
                .refusal(&format!("{} has no file {path}: `debrole show {}` lists what it has", plan.name, plan.name));
            Err(Failure::Wrong)
        }
    }
}

fn json(variant: &Variant) -> serde_json::Value {
    let deb = &variant.deb;
    let relations: serde_json::Map<String, serde_json::Value> = deb
        .relations
        .iter()
        .map(|(field, list)| {
            (field.control_name().to_owned(), list.iter().map(ToString::to_string).collect::<Vec<_>>().into())
        })
        .collect();
    let entries: serde_json::Map<String, serde_json::Value> = deb
        .entries
        .iter()
        .map(|(path, entry)| {
            let value = match entry {
                Entry::File { mode, bytes } => {
                    serde_json::json!({ "type": "file", "mode": format!("{mode:04o}"), "size": bytes.len() })
                }
                Entry::Symlink { target } => serde_json::json!({ "type": "symlink", "target": target }),
                Entry::Directory { mode } => serde_json::json!({ "type": "directory", "mode": format!("{mode:04o}") }),
            };
            (path.to_string(), value)
        })
        .collect();
    let scripts: serde_json::Map<String, serde_json::Value> =
        deb.scripts.iter().map(|(member, text)| (member.file_name().to_owned(), text.as_str().into())).collect();
    serde_json::json!({
        "releases": variant.releases,
        "summary": deb.summary,
        "relations": relations,
        "entries": entries,
        "scripts": scripts,
    })
}
