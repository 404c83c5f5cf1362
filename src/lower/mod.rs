//! Model → plans: what each package holds, before it has a version. Pure and deterministic: the same model makes the
//! same plans, on any number of threads.

pub mod access;
pub mod backup;
pub mod claims;
mod content;
pub mod description;
mod echo;
mod host;
mod keyring;
pub mod machine_manifest;
mod meeting;
pub mod monitoring;
mod role;
pub mod runtime;
pub mod scripts;
pub mod secret;
mod settings;
mod template;
mod tombstone;
mod vm;

pub use echo::lower_in_part;
pub use tombstone::tombstone;

use crate::diagnostics::Diagnostic;
use crate::model::Model;
use crate::plan::PackagePlan;
use meeting::{Meeting, Party};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// The archive's public keys, as the keyring package ships them.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    /// OpenPGP packets, as apt and gpgv read them.
    pub binary: Vec<u8>,
    /// The same with ASCII armor.
    pub armored: Vec<u8>,
}

/// All packages of the fleet, sorted by name, and everything that is wrong with them. Where there is an error among
/// the diagnostics the plans are not whole.
pub fn lower(model: &Model, keyring: &Keyring) -> (Vec<PackagePlan>, Vec<Diagnostic>) {
    let engine = template::Engine::new(model);
    let mut diagnostics = Vec::new();

    let roles: Vec<_> = model.roles.values().collect();
    let lowered: Vec<_> = roles.par_iter().map(|role| role::lower(model, &engine, role)).collect();
    let mut plans = vec![(runtime::lower(model), Party::Every), (keyring::lower(model, keyring), Party::Every)];
    let monitoring = [monitoring::agent::lower, monitoring::nagios::lower, monitoring::munin::lower];
    plans.extend(monitoring.into_iter().filter_map(|lower| lower(model)).map(|plan| (plan, Party::Every)));
    plans.extend(access::lower(model).into_iter().map(|plan| (plan, Party::Every)));
    plans.extend(backup::lower(model).into_iter().map(|plan| (plan, Party::Every)));
    diagnostics.extend(keyring::check(model));
    let there = roles.iter().zip(lowered).filter_map(|(role, lowered)| {
        let mut lowered = lowered?;
        diagnostics.append(&mut lowered.diagnostics);
        Some((&role.name.value, lowered))
    });
    let lowered_roles: BTreeMap<_, _> = there.collect();
    let hosts: Vec<_> = model.hosts.values().collect();
    let common = host::Common::of(model);
    let lower = hosts.par_iter().map(|host| host::lower(model, &common, &engine, &lowered_roles, host));
    let lowered: Vec<_> = lower.collect();
    for (host, lowered) in hosts.iter().zip(lowered) {
        if let Some((plan, mut problems)) = lowered {
            diagnostics.append(&mut problems);
            plans.push((plan, Party::Host(host)));
        }
    }
    for (name, lowered) in lowered_roles {
        plans.push((lowered.plan, Party::Role(&model.roles[name])));
    }
    plans.sort_by(|a, b| a.0.name.cmp(&b.0.name));
    let (plans, parties): (Vec<_>, Vec<_>) = plans.into_iter().unzip();

    let meeting = Meeting::new(model);
    diagnostics.extend(claims::check(&plans, &parties, &meeting));
    diagnostics.extend(settings::check(model, &meeting));
    diagnostics.extend(monitoring::check(model));
    diagnostics.extend(secret::check(model, &plans));
    let of_backups = backup::check(model);
    diagnostics.retain(|diagnostic| !backup::is_told(diagnostic, &of_backups));
    diagnostics.extend(of_backups);
    (plans, unique(diagnostics))
}

/// In the order of the tree's text; what holds for several releases or machines is said once.
fn unique(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let place = |diagnostic: &Diagnostic| diagnostic.primary.as_ref().map(|label| label.span);
    diagnostics.sort_by(|a, b| {
        let key = |d: &Diagnostic| (place(d), d.rule.code);
        key(a)
            .cmp(&key(b))
            .then_with(|| a.message.cmp(&b.message))
            .then_with(|| a.secondary.iter().map(|label| label.span).cmp(b.secondary.iter().map(|label| label.span)))
    });
    diagnostics.dedup_by(|a, b| a.rule.code == b.rule.code && a.message == b.message && place(a) == place(b));
    diagnostics
}
