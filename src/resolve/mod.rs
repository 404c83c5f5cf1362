//! AST → [`Model`]: every name looked up, every value checked. All errors of all files are found in one go; a
//! model is only given where there are none.

mod access;
mod account;
mod backup;
mod calendar;
mod command;
mod content;
mod fleet;
mod graph;
mod host;
mod ledger;
mod monitoring;
mod network;
mod paths;
mod people;
mod plugins;
mod relations;
mod role;
mod secrets;
mod text;
mod units;
mod values;
mod vm;

pub use backup::{spelt_size, spelt_time};

use crate::diagnostics::{Diagnostic, Severity, rules};
use crate::model::{Model, vm::Network};
use crate::names::{Architecture, Codename, Prefix};
use crate::schema::{self, Table, ast};
use crate::source::Sources;
use crate::tree::{Definition, Tree};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What every file's check may need to know of the others.
pub(crate) struct Facts {
    /// None where debrole.toml has no valid one: then nothing that depends on it is checked.
    prefix: Option<Prefix>,
    /// The fleet's releases; None where debrole.toml has none that are valid.
    releases: Option<Vec<Codename>>,
    /// All names of roles, read or not.
    roles: BTreeSet<String>,
    hosts: BTreeSet<String>,
    /// All names of groups and users, read or not.
    groups: BTreeSet<String>,
    users: BTreeSet<String>,
    /// The numbers that people's accounts and groups may have.
    uids: std::ops::RangeInclusive<u32>,
    /// Names that some role or host provides, and those of the site's own packages.
    provided: BTreeSet<String>,
    /// None where debrole.toml has none that are valid.
    architectures: Option<BTreeSet<Architecture>>,
    /// The networks that are sound, and the names of all.
    networks: BTreeMap<String, Network>,
    network_names: BTreeSet<String>,
}

/// Parses and checks the whole tree. The model is only given where there are no errors.
pub fn resolve(tree: &mut Tree) -> (Option<Model>, Vec<Diagnostic>) {
    let (model, out) = understand(tree);
    let failed = out.iter().any(|d| d.rule.severity == Severity::Error);
    (model.filter(|_| !failed), out)
}

/// The same, with a model of what is sound of a tree in which not all is: nothing can be built of it, but the later
/// stages can tell what they have against it, so that a mistake in one file does not hide one in another. None where
/// there is not even a prefix and a release.
pub fn understand(tree: &mut Tree) -> (Option<Model>, Vec<Diagnostic>) {
    let mut out = Vec::new();
    let debrole = tree.debrole.map(|file| {
        let (ast, errors) = schema::parse::<ast::Debrole>(file, tree.sources.text(file));
        out.extend(errors);
        ast
    });
    let roles = parse_all::<ast::Role>(&tree.sources, &tree.roles, &mut out);
    let mut hosts = parse_all::<ast::Host>(&tree.sources, &tree.hosts, &mut out);
    let own_jobs = backup::on_host::take(&mut hosts, &roles);
    let mut fleet = debrole.as_ref().map(|ast| fleet::resolve(ast, &mut out));
    let networks = debrole.as_ref().and_then(|ast| ast.network.as_ref());

    let users = parse_all::<ast::User>(&tree.sources, &tree.users, &mut out);
    let groups = parse_all::<ast::Group>(&tree.sources, &tree.groups, &mut out);
    let ledger = tree.ledger.map(|file| {
        let (ast, errors) = schema::parse::<ast::Ledger>(file, tree.sources.text(file));
        out.extend(errors);
        ast
    });

    let names = |folder: &'static str, read: &BTreeMap<String, Definition>| -> BTreeSet<String> {
        let unread = tree.unread.iter().filter_map(move |path| path.strip_prefix(folder)?.strip_prefix('/'));
        read.keys().cloned().chain(unread.map(str::to_owned)).collect()
    };
    let facts = Facts {
        prefix: fleet.as_ref().and_then(|f| f.prefix.clone()),
        releases: fleet.as_ref().and_then(|f| f.codenames.clone()),
        roles: names("roles", &tree.roles),
        hosts: names("hosts", &tree.hosts),
        groups: names("groups", &tree.groups),
        users: names("users", &tree.users),
        uids: fleet.as_ref().map_or(fleet::UIDS, |f| f.uids.clone()),
        provided: relations::provided(
            roles.values().map(|(_, ast)| ast.contents()).chain(hosts.values().map(|(_, ast)| vec![&ast.content])),
            &tree.packages,
        ),
        architectures: fleet.as_ref().and_then(|f| f.fleet.as_ref()).map(|f| f.architectures.clone()),
        networks: network::resolve(networks, &mut out),
        network_names: networks.iter().flat_map(|named| &named.0).map(|(name, _)| name.value.clone()).collect(),
    };

    if let Some(fleet) = fleet.as_mut().and_then(|resolved| resolved.fleet.as_mut()) {
        let ast = debrole.as_ref().and_then(|ast| ast.monitoring.as_ref());
        fleet.networks = facts.networks.clone();
        fleet.monitoring = monitoring::fleet(ast.map(|schema::One(table)| table), &facts, &mut out);
    }
    let releases = roles.iter().filter_map(|(name, (_, ast))| Some((*name, ast.releases.as_ref()?.span))).collect();
    // (What is resolved is no longer needed as it was written: ten thousand roles take room.)
    let resolved: Vec<_> = roles
        .into_par_iter()
        .map(|(name, (definition, ast))| {
            let mut errors = Vec::new();
            let role = role::resolve(name, definition, &ast, &facts, &tree.sources, &mut errors);
            (role, errors)
        })
        .collect();
    let right = resolved.into_iter().filter_map(|(role, errors)| {
        out.extend(errors);
        role.map(|role| (role.name.value.clone(), role))
    });
    let model_roles: BTreeMap<_, _> = right.collect();
    let with_parents: BTreeSet<&str> = hosts
        .iter()
        .filter(|(_, (_, ast))| ast.monitoring.as_ref().is_some_and(|schema::One(table)| table.parents.is_some()))
        .map(|(name, _)| *name)
        .collect();
    let resolved: Vec<_> = hosts
        .into_par_iter()
        .map(|(name, (definition, ast))| {
            let mut errors = Vec::new();
            let host = host::resolve(name, definition, &ast, &facts, &tree.sources, &mut errors);
            (host, errors)
        })
        .collect();
    let right = resolved.into_iter().filter_map(|(host, errors)| {
        out.extend(errors);
        host.map(|host| (host.name.value.clone(), host))
    });
    let mut model_hosts: BTreeMap<_, _> = right.collect();
    vm::between(&mut model_hosts, &with_parents, &mut out);
    graph::check(&model_roles, &model_hosts, &releases, &facts, &mut out);
    host::addresses(&model_hosts, &mut out);
    monitoring::servers(&model_roles, &model_hosts, &mut out);
    backup::on_host::resolve(&own_jobs, &model_roles, &mut model_hosts, &mut out);
    let ledger = ledger::resolve(ledger.as_ref(), &mut out);
    let people = people::resolve(&users, &groups, &ledger, &facts, &mut out);
    let hearing = monitoring::hearing(fleet.as_ref().and_then(|f| f.fleet.as_ref()), &model_roles, &model_hosts);
    people::between(&people, &model_roles, &model_hosts, &hearing, &mut out);
    let secrets = secrets::resolve(debrole.as_ref(), tree.secrets.as_ref(), &facts, &mut out);

    // A file with a syntax error was understood in part only: what else seems wrong in it may not be.
    let garbled: BTreeSet<_> = out
        .iter()
        .filter(|d| [&rules::toml_syntax::RULE, &rules::duplicate_key::RULE].iter().any(|r| std::ptr::eq(*r, d.rule)))
        .filter_map(|d| d.primary.as_ref().map(|label| label.span.file))
        .collect();
    let is_syntax =
        |d: &Diagnostic| d.rule.code == rules::toml_syntax::RULE.code || d.rule.code == rules::duplicate_key::RULE.code;
    out.retain(|d| is_syntax(d) || d.primary.as_ref().is_none_or(|label| !garbled.contains(&label.span.file)));
    crate::diagnostics::sort(&mut out, &tree.sources);

    let model = fleet.and_then(|f| f.fleet).filter(|fleet| !fleet.releases.is_empty()).map(|fleet| Model {
        fleet,
        roles: model_roles,
        hosts: model_hosts,
        people,
        secrets,
        site_packages: tree.packages.clone(),
    });
    (model, out)
}

/// Each definition with its AST, by name.
type Parsed<'a, T> = BTreeMap<&'a str, (&'a Definition, T)>;

fn parse_all<'a, T: Table + Send>(
    sources: &Sources,
    definitions: &'a BTreeMap<String, Definition>,
    out: &mut Vec<Diagnostic>,
) -> Parsed<'a, T> {
    let parsed: Vec<_> = definitions
        .par_iter()
        .map(|(name, definition)| {
            let (ast, errors) = schema::parse::<T>(definition.toml, sources.text(definition.toml));
            (name.as_str(), definition, ast, errors)
        })
        .collect();
    let mut map = BTreeMap::new();
    for (name, definition, ast, errors) in parsed {
        out.extend(errors);
        map.insert(name, (definition, ast));
    }
    map
}

impl ast::Role {
    /// The common part and those of the releases.
    fn contents(&self) -> Vec<&ast::Content> {
        let releases = self.release.iter().flat_map(|named| named.0.iter().map(|(_, part)| &part.content));
        std::iter::once(&self.content).chain(releases).collect()
    }
}
