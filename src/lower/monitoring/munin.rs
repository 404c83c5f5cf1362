//! `<prefix>-munin-config`, on the machines of roles with `[munin_server]`: the machines that Munin asks.

use super::agent::{Made, Pieces, head, plan};
use super::munin_web;
use super::nagios::watched;
use crate::model::{Content, Model};
use crate::names::PackageName;
use crate::plan::PackagePlan;
use crate::relation::RelationField;
use std::collections::BTreeMap;

/// None where no role is a server.
pub fn lower(model: &Model) -> Option<PackagePlan> {
    let server = model.roles.values().find_map(|role| role.monitoring.munin_server.as_ref())?;
    let fleet = &model.fleet;
    let prefix = &fleet.prefix;
    let package = prefix.munin_config_package();
    let pieces = Pieces { span: server.span };
    let mut files = vec![pieces.file(
        &format!("/etc/munin/munin-conf.d/{prefix}-machines.conf"),
        machines(model, &package),
        "",
        &[],
        &[],
    )];
    files.extend(munin_web(prefix).into_iter().map(|(at, text)| pieces.file(&at, text, "", &["apache2.service"], &[])));
    let agent = prefix.agent_package();
    let content = Content {
        relations: BTreeMap::from([(
            RelationField::Depends,
            pieces.depends(&["apache2", "cron", "munin", agent.as_str()]),
        )]),
        files,
        services: vec![pieces.enabled("apache2.service", None)],
        ..Content::default()
    };
    let made = Made {
        content,
        entries: BTreeMap::new(),
        summary: format!("the machines of {} that Munin asks", fleet.label),
        description: format!(
            "This package has Munin draw what the machines of {} tell: each the plugins that every machine has and those \
             of its roles.\n\nIts web pages are at /munin, for the administrators of this machine.",
            fleet.label
        ),
    };
    Some(plan(model, package, &made))
}

/// One section a machine, in the group of its domain (munin.conf(5)).
pub fn machines(model: &Model, package: &PackageName) -> String {
    // Debian's munin.conf has this one, whatever the machine is called: it would be asked twice.
    let mut out = format!("{}[localhost.localdomain]\n    update no\n", head(package));
    for host in watched(model) {
        let name = host.name.value.as_str();
        let group = name.split_once('.').map_or(name, |(_, domain)| domain);
        let address = host.addresses.first().map_or(name.to_owned(), |address| address.value.to_string());
        out.push_str(&format!("\n[{group};{name}]\n    address {address}\n    use_node_name yes\n"));
    }
    out
}
