//! Access: `<prefix>-access-<group>` with a group's members, `<prefix>-access` with what sshd needs to hear,
//! `<prefix>-known-hosts` with the machines' host keys.
//!
//! Nothing of a person is a managed file: accounts, keys and memberships come and go by the runtime's reconciler, which
//! reads `members` and `grants` of all installed packages.

use super::role::Variants;
use super::scripts;
use crate::access::format::{self, Grants, Members};
use crate::access::rights::{Part, View};
use crate::model::{Group, Host, Model};
use crate::names::{HostName, MachinePath, PackageName};
use crate::plan::{Claim, ClaimKind, ControlMember, DebContent, Entry, PackageKind, PackagePlan};
use crate::relation::{Relation, RelationField};
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};

/// Lines of a file that sshd reads for people alone (sshd_config(5), Match): their keys are where root put them and
/// nowhere else. A Match in an included file ends with the file.
fn sshd(prefix: &str) -> String {
    format!(
        "\
# People of the fleet log in by the keys that the tree gives them, and by nothing else. The group has everybody who
# ever had an account by {prefix}-runtime, those who left too.
Match Group {prefix}-people
    AuthorizedKeysFile /etc/ssh/{prefix}-keys/%u
    AuthorizedKeysCommand none
    TrustedUserCAKeys none
    AuthorizedPrincipalsFile none
    PasswordAuthentication no
    KbdInteractiveAuthentication no
    HostbasedAuthentication no
    PubkeyAuthentication yes
"
    )
}

pub(super) fn path(text: &str) -> MachinePath {
    MachinePath::parse(text).expect("a prefix and a group's name make valid paths")
}

pub(super) fn package(name: &str) -> PackageName {
    PackageName::parse(name).expect("a package of Debian")
}

pub(super) fn file(text: String) -> Entry {
    Entry::File { mode: 0o644, bytes: text.into_bytes().into() }
}

/// The packages of all groups, and those that they need. None where the tree has no groups.
pub fn lower(model: &Model) -> Vec<PackagePlan> {
    let mut plans = Vec::new();
    let known_hosts = known_hosts(model);
    if !model.people.groups.is_empty() {
        plans.push(people(model, known_hosts.is_some()));
    }
    plans.extend(model.people.groups.values().map(|group| members(model, group)));
    plans.extend(known_hosts);
    plans
}

pub(super) fn plan(
    model: &Model,
    name: PackageName,
    kind: PackageKind,
    span: Option<Span>,
    deb: DebContent,
) -> PackagePlan {
    let mut variants = Variants::default();
    for release in &model.fleet.releases {
        let claims = deb.entries.keys().map(|path| Claim {
            path: path.canonical(),
            kind: ClaimKind::InPlace,
            releases: vec![release.codename.value.clone()],
            span: span.unwrap_or(model.fleet.span),
        });
        let claims = claims.collect();
        variants.add(&release.codename, deb.clone(), claims);
    }
    variants.into_plan(name, kind, span)
}

pub(super) fn content(
    model: &Model,
    summary: String,
    description: String,
    depends: BTreeSet<PackageName>,
    entries: Vec<(String, Entry)>,
    scripts: BTreeMap<ControlMember, String>,
) -> DebContent {
    let depends: Vec<Relation> = depends.into_iter().map(Relation::on).collect();
    let relations = match depends.is_empty() {
        true => BTreeMap::new(),
        false => BTreeMap::from([(RelationField::Depends, depends)]),
    };
    DebContent {
        summary,
        description,
        homepage: model.fleet.homepage.clone(),
        relations,
        fields: &[("Multi-Arch", "foreign")],
        entries: entries.into_iter().map(|(name, entry)| (path(&name), entry)).collect(),
        scripts,
    }
}

fn members(model: &Model, group: &Group) -> PackagePlan {
    let prefix = &model.fleet.prefix;
    let name = prefix.access_package(&group.name);
    let members = Members::of(prefix, group, &model.people);
    let users = group.members.keys().filter_map(|name| model.people.users.get(name));
    let mut depends: BTreeSet<PackageName> = users.clone().filter_map(|user| user.shell_package.clone()).collect();
    depends.insert(prefix.people_package());
    let approval = group.approval.as_ref().map(|note| format!("\n\nMembership: {note}")).unwrap_or_default();
    let deb = content(
        model,
        format!("members of the group {} of {}", group.name.value, model.fleet.label),
        format!(
            "This package carries who is in the group {} of {}: {}.\n\nAlone it lets nobody in. On a machine where a role \
             or the machine's own package lets the group in, {prefix}-runtime makes an account for each member, with their \
             keys; where it does not any more, or somebody has left, it takes the account out of use. Removing this package \
             does so for all members.{approval}",
            group.name.value,
            model.fleet.label,
            group.description.trim_end_matches('.')
        ),
        depends,
        vec![(format!("/usr/share/{prefix}/access/{}/members", group.name.value), file(members.to_string()))],
        scripts::access(prefix),
    );
    plan(model, name, PackageKind::Access, Some(group.name.span), deb)
}

fn people(model: &Model, known_hosts: bool) -> PackagePlan {
    let fleet = &model.fleet;
    let prefix = &fleet.prefix;
    let name = prefix.people_package();
    let config = format!("/usr/share/{prefix}/sshd.conf");
    let mut depends = BTreeSet::from([
        prefix.runtime_package(),
        package("openssh-server"),
        // Sessions are found and ended by it, those that became another user too.
        package("libpam-systemd"),
    ]);
    if known_hosts {
        depends.insert(prefix.known_hosts_package());
    }
    let deb = content(
        model,
        format!("what machines need to let people of {} in", fleet.label),
        format!(
            "The groups of {} ({prefix}-access-*) need this package. It has sshd take the keys of people from a directory \
             that only root writes, and tells the machine which accounts were of people who have left.\n\nIt lets nobody in \
             by itself.",
            fleet.label
        ),
        depends,
        vec![
            (config.clone(), file(sshd(prefix.as_str()))),
            (format!("/usr/share/{prefix}/people"), file(format::people(&model.people, fleet.uids))),
            (format!("/etc/ssh/sshd_config.d/10-{name}.conf"), Entry::Symlink { target: config }),
        ],
        scripts::people(prefix),
    );
    plan(model, name, PackageKind::Access, None, deb)
}

/// The host keys of all machines that have one in the tree.
fn known_hosts(model: &Model) -> Option<PackagePlan> {
    let text = known_hosts_text(model);
    if text.is_empty() {
        return None;
    }
    let fleet = &model.fleet;
    let prefix = &fleet.prefix;
    let name = prefix.known_hosts_package();
    let target = format!("/usr/share/{prefix}/known_hosts");
    let deb = content(
        model,
        format!("SSH host keys of the machines of {}", fleet.label),
        format!(
            "With this package ssh(1) knows the machines of {} by their host keys: it asks nobody whether a machine is the \
             one that it says, and refuses one that is not.",
            fleet.label
        ),
        BTreeSet::new(),
        // ssh_config(5), GlobalKnownHostsFile: ssh reads this file without any configuration, and nothing else uses it.
        vec![(target.clone(), file(text)), ("/etc/ssh/ssh_known_hosts2".to_owned(), Entry::Symlink { target })],
        BTreeMap::new(),
    );
    Some(plan(model, name, PackageKind::KnownHosts, None, deb))
}

/// sshd(8), SSH_KNOWN_HOSTS FILE FORMAT. A short name stands for a machine where no other has it.
pub fn known_hosts_text(model: &Model) -> String {
    let short = |name: &HostName| name.as_str().split('.').next().unwrap_or_default().to_owned();
    let mut shorts: BTreeMap<String, usize> = BTreeMap::new();
    for name in model.hosts.keys() {
        *shorts.entry(short(name)).or_default() += 1;
    }
    let mut out = String::new();
    let names = |name: &HostName, host: &Host| {
        let mut names = vec![name.to_string()];
        names.extend(Some(short(name)).filter(|short| shorts.get(short) == Some(&1)));
        names.extend(host.addresses.iter().map(|address| address.value.to_string()));
        names.join(",")
    };
    for (name, host) in &model.hosts {
        let names = names(name, host);
        out.extend(host.host_keys.iter().map(|key| format!("{names} {}\n", key.value)));
        out.extend(host.retired_host_keys.iter().map(|key| format!("@revoked {names} {}\n", key.value)));
    }
    out
}

/// What the plans say of access, in the form in which it is compared and shown.
pub fn view(plans: &[PackagePlan]) -> View {
    let mut view = View::default();
    for plan in plans {
        add_plan(&mut view, plan);
    }
    view
}

/// Adds one plan to a view.
pub fn add_plan(view: &mut View, plan: &PackagePlan) {
    for variant in &plan.variants {
        let texts = variant.deb.entries.iter().filter_map(|(path, entry)| match entry {
            Entry::File { bytes, .. } if keep(path.as_str()) => Some((path.as_str(), &bytes[..])),
            _ => None,
        });
        let depends = variant.deb.relations.get(&RelationField::Depends).into_iter().flatten();
        let depends = depends.flat_map(|relation| relation.0.iter().map(|one| one.name.clone())).collect();
        add(view, &plan.name, plan.kind, variant.releases.clone(), depends, texts);
    }
}

/// Adds one package to a view: its files' texts, and what it depends on.
pub fn add<'t>(
    view: &mut View,
    name: &PackageName,
    kind: PackageKind,
    releases: Vec<crate::names::Codename>,
    depends: BTreeSet<PackageName>,
    texts: impl Iterator<Item = (&'t str, &'t [u8])>,
) {
    let is_place = matches!(kind, PackageKind::Role | PackageKind::Host);
    if !is_place && kind != PackageKind::Access {
        return;
    }
    let mut part = Part { releases, depends, ..Part::default() };
    for (path, bytes) in texts {
        let Ok(text) = std::str::from_utf8(bytes) else { continue };
        if is_place && path.ends_with("/grants") {
            part.grants = Grants::parse(text).unwrap_or_default();
        } else if path.ends_with("/members")
            && let Ok(members) = Members::parse(text)
        {
            view.members.insert(members.group.clone(), members);
        }
    }
    if is_place {
        view.packages.entry(name.clone()).or_default().push(part);
    }
}

/// Whether a file of a package is wanted for a view.
pub fn keep(path: &str) -> bool {
    path.ends_with("/grants") || path.ends_with("/members")
}
