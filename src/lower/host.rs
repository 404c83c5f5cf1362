//! A machine → its package: its roles, what is particular to it, and its renderings of its roles' templates.

use super::content::{Assembly, Effect, Owner, Rank, Text};
use super::description;
use super::monitoring::{agent, nagios, role as monitoring};
use super::role::{self, LoweredRole, Part, Variants};
use super::template::{Engine, HostScope, Rendered};
use super::vm;
use crate::diagnostics::{Diagnostic, rules};
use crate::model::monitoring::Place;
use crate::model::{Host, Model};
use crate::names::{MachinePath, RoleName};
use crate::plan::{ClaimKind, PackageKind, PackagePlan};
use crate::relation::{Relation, RelationField};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Which packages every machine has. Found out once: whoever asks goes through all machines.
pub struct Common {
    known_hosts: bool,
    agent: bool,
}

impl Common {
    pub fn of(model: &Model) -> Common {
        let has_keys = |host: &Host| !host.host_keys.is_empty() || !host.retired_host_keys.is_empty();
        Common { known_hosts: model.hosts.values().any(has_keys), agent: model.has_agent() }
    }
}

/// Lowers one host. `None` where its release is none of the fleet's.
pub fn lower<'m>(
    model: &'m Model,
    common: &Common,
    engine: &Engine<'m>,
    roles: &BTreeMap<&RoleName, LoweredRole<'_>>,
    host: &'m Host,
) -> Option<(PackagePlan, Vec<Diagnostic>)> {
    let prefix = &model.fleet.prefix;
    let release = model.fleet.release(&host.release)?;
    let codename = &release.codename.value;
    let owner = Owner {
        prefix,
        package: prefix.host_package(&host.name),
        home: MachinePath::parse(&format!("/usr/share/{prefix}/hosts/{}", host.name.value)).ok()?,
        rank: Rank::Host,
        secrets: &model.secrets,
    };
    let scope = engine.host_scope(host);
    let mut diagnostics = Vec::new();
    let mut assembly = Assembly::new(&owner, codename);
    for role in &host.roles {
        assembly.relate(RelationField::Depends, Relation::on(prefix.role_package(&role.value)));
    }
    if common.known_hosts {
        assembly.relate(RelationField::Depends, Relation::on(prefix.known_hosts_package()));
    }
    if common.agent {
        assembly.relate(RelationField::Depends, Relation::on(prefix.agent_package()));
        let (default, own) =
            (agent::checks(model, &owner.package, None), agent::checks(model, &owner.package, Some(host)));
        if own != default {
            assembly.rendering(
                &agent::checks_path(prefix),
                &own,
                Effect::Restart("nagios-nrpe-server.service"),
                host.name.span,
            );
        }
    }
    let commands = nagios::backup_commands(model, host);
    if common.agent && !commands.is_empty() {
        assembly.backup_checks(&commands, host.name.span);
    }
    let servers = model.roles_of(host).filter(|role| role.monitoring.nagios_server.is_some());
    if servers.count() > 0 && !nagios::notifies(model, host) {
        let text = nagios::main_file(prefix, &owner.package, false);
        assembly.rendering(&nagios::main_path(prefix), &text, Effect::Reload("nagios4.service"), host.name.span);
    }
    assembly.relate(RelationField::Provides, Relation::on(prefix.any_host()));
    assembly.relate(RelationField::Conflicts, Relation::on(prefix.any_host()));
    for name in model.closure(host.roles.iter().map(|role| &role.value)) {
        let (Some(role), Some(lowered)) = (model.roles.get(name), roles.get(name)) else { continue };
        let Some(content) = role.contents.get(codename) else { continue };
        let place = Place::Role(name);
        let own = monitoring::commands(place, content, |check| model.thresholds(host, place, check));
        if own != monitoring::commands(place, content, |check| check.thresholds.clone()) {
            assembly.rendered_checks(&prefix.role_package(name), &own, host.name.span);
        }
        for ((_, job), own) in host.backup_jobs.iter().filter(|((role, _), _)| role == name) {
            if let Some(usual) = content.backups.iter().find(|backup| backup.name.value == *job) {
                assembly.own_job(name, usual, own);
            }
        }
        let templates = lowered.templates.get(codename).into_iter();
        for (template, of_role) in templates.flat_map(|all| all.templates.iter().map(|template| (template, &all.scope)))
        {
            match engine.render(&template.compiled, of_role, Some(&scope)) {
                Rendered::Text { text, .. } => {
                    let bytes: Arc<[u8]> = text.into_bytes().into();
                    if template.default.as_ref() == Some(&bytes) {
                        continue;
                    }
                    match template.part {
                        Part::File(i) => assembly.file(&content.files[i], &bytes, ClaimKind::Rendering),
                        Part::Unit(i) => assembly.rendered_unit(&content.units[i], &bytes),
                        Part::Secret(i) => assembly.secret(&content.secrets[i], &bytes, name.as_str()),
                    }
                }
                // With a host all is either there or reported.
                Rendered::NeedsHost => {}
                Rendered::Failed(diagnostic) => diagnostics.push(*diagnostic),
            }
        }
    }
    diagnostics.extend(own_content(engine, host, &scope, release, &mut assembly));
    vm::add(model, host, &mut assembly);
    if host.is_to_come() && is_without_address(model, host) {
        // What follows from an address that is not chosen yet is told when it is.
        diagnostics.retain(|diagnostic| diagnostic.rule.code != rules::host_value_missing::RULE.code);
    }
    let opening = opening(model, host);
    let description = description::of("", opening, &host.content, &assembly.manifest);
    let summary = match &host.summary {
        Some(summary) => summary.clone(),
        None => format!("configuration of the machine {}", host.name.value),
    };
    let secrets = assembly.secrets();
    let (deb, claims, problems) = assembly.finish(summary, description, model.fleet.homepage.clone());
    diagnostics.extend(problems);
    let mut variants = Variants::default();
    variants.add(codename, deb, claims);
    variants.uses(codename, secrets);
    Some((variants.into_plan(owner.package.clone(), PackageKind::Host, Some(host.name.span)), diagnostics))
}

fn own_content<'m>(
    engine: &Engine<'m>,
    host: &'m Host,
    scope: &HostScope<'m>,
    release: &crate::model::Release,
    assembly: &mut Assembly<'_>,
) -> Vec<Diagnostic> {
    let role_scope = engine.role_scope(None, release);
    let mut diagnostics = Vec::new();
    let texts = role::texts(&host.content, |_, template, secret| match engine.compile(template, secret) {
        Err(diagnostic) => {
            diagnostics.push(*diagnostic);
            Text::Failed
        }
        Ok(compiled) => match engine.render(&compiled, &role_scope, Some(scope)) {
            Rendered::Text { text, .. } => Text::Bytes(text.into_bytes().into()),
            Rendered::NeedsHost => Text::Failed,
            Rendered::Failed(diagnostic) => {
                diagnostics.push(*diagnostic);
                Text::Failed
            }
        },
    });
    assembly.add(&host.content, &texts);
    diagnostics
}

/// Whether an address of a virtual machine is still to be chosen.
fn is_without_address(model: &Model, host: &Host) -> bool {
    let interfaces = host.vm.iter().flat_map(|vm| &vm.interfaces);
    let mut networks =
        interfaces.filter_map(|interface| Some((interface, model.fleet.networks.get(&interface.network.value)?)));
    networks.any(|(interface, network)| [true, false].iter().any(|v4| interface.is_open(network, *v4)))
}

fn opening(model: &Model, host: &Host) -> String {
    let names: Vec<_> = host.roles.iter().map(|role| format!("\"{}\"", role.value)).collect();
    let roles = match names.as_slice() {
        [] => "no role".to_owned(),
        [one] => format!("the role {one}"),
        [most @ .., last] => format!("the roles {} and {last}", most.join(", ")),
    };
    format!(
        "This package makes the machine {} what it is in {}, with {roles}. It is for that machine alone: on another one nothing of it is applied.",
        host.name.value, model.fleet.label
    )
}
