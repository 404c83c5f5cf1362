//! Which packages can be installed together on one machine.

use crate::model::{Content, Host, Model, Role};
use crate::names::{Codename, PackageName, RoleName};
use crate::relation::RelationField;
use std::collections::{BTreeMap, BTreeSet};

/// Who owns a package, as far as meeting goes.
#[derive(Debug, Clone, Copy)]
pub enum Party<'m> {
    /// The runtime and the keyring: on every machine.
    Every,
    Role(&'m Role),
    Host(&'m Host),
}

/// Answers whether two parties can meet.
pub struct Meeting<'m> {
    model: &'m Model,
    /// For each release the pairs of roles that exclude each other, each pair both ways round.
    excluded: BTreeMap<&'m Codename, BTreeSet<(&'m RoleName, &'m RoleName)>>,
}

impl<'m> Meeting<'m> {
    pub fn new(model: &'m Model) -> Self {
        let mut excluded: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for release in &model.fleet.releases {
            let codename = &release.codename.value;
            let excluded = excluded.entry(codename).or_default();
            // Name or provided name → the roles that have it.
            let mut named: BTreeMap<PackageName, Vec<&RoleName>> = BTreeMap::new();
            for (name, role) in &model.roles {
                let Some(content) = role.contents.get(codename) else { continue };
                named.entry(model.fleet.prefix.role_package(name)).or_default().push(name);
                for provided in possibilities(content, RelationField::Provides) {
                    named.entry(provided.clone()).or_default().push(name);
                }
            }
            for (name, role) in &model.roles {
                let Some(content) = role.contents.get(codename) else { continue };
                for field in [RelationField::Conflicts, RelationField::Breaks] {
                    for &other in possibilities(content, field).filter_map(|target| named.get(target)).flatten() {
                        if other != name {
                            excluded.insert((name, other));
                            excluded.insert((other, name));
                        }
                    }
                }
            }
        }
        Meeting { model, excluded }
    }

    /// Whether both can be installed on one machine that runs the release.
    pub fn can_meet(&self, a: Party<'m>, b: Party<'m>, release: &Codename) -> bool {
        match (a, b) {
            (Party::Every, _) | (_, Party::Every) => return true,
            (Party::Host(a), Party::Host(b)) => return a.name.value == b.name.value,
            _ => {}
        }
        let Some(excluded) = self.excluded.get(release) else { return false };
        if excluded.is_empty() {
            return true;
        }
        let (mine, others) = (self.roles(a), self.roles(b));
        !mine.iter().any(|role| others.iter().any(|other| excluded.contains(&(*role, *other))))
    }

    /// The roles that come with it.
    fn roles(&self, party: Party<'m>) -> BTreeSet<&'m RoleName> {
        match party {
            Party::Every => BTreeSet::new(),
            Party::Role(role) => self.model.closure([&role.name.value]),
            Party::Host(host) => self.model.closure(host.roles.iter().map(|role| &role.value)),
        }
    }
}

/// The packages that a field names without a version: a versioned Conflicts or Breaks excludes some versions only.
fn possibilities(content: &Content, field: RelationField) -> impl Iterator<Item = &PackageName> {
    let relations = content.relations.get(&field).into_iter().flatten();
    let all = relations.flat_map(|relation| &relation.value.0);
    all.filter(move |one| field == RelationField::Provides || one.version.is_none()).map(|one| &one.name)
}
