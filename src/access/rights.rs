//! Rights, machine by machine: who may log in, and what they may do there, by which group and which package. Computed
//! from what packages carry, so that what is published and what is to be are compared in one form.

use super::format::{Grants, Members};
use crate::names::{Codename, GroupName, PackageName, Prefix, UserName};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What the packages of one generation say.
#[derive(Debug, Clone, Default)]
pub struct View {
    pub members: BTreeMap<GroupName, Members>,
    /// Roles and hosts.
    pub packages: BTreeMap<PackageName, Vec<Part>>,
}

/// A role's or host's package on some releases.
#[derive(Debug, Clone, Default)]
pub struct Part {
    pub releases: Vec<Codename>,
    pub grants: Grants,
    /// Packages that it depends on.
    pub depends: BTreeSet<PackageName>,
}

/// What somebody may do in one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    pub user: UserName,
    /// The package of the machine, or of a role that no machine of the tree has.
    pub place: PackageName,
    pub what: What,
    /// By which membership,
    pub group: GroupName,
    /// and which package's grant.
    pub grant: PackageName,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    Login,
    /// The rule of sudoers(5), without the group that it begins with.
    Sudo(String),
}

impl View {
    /// All rights: on the machines of the tree, and by roles that none of them has. Sorted.
    pub fn rights(&self, prefix: &Prefix) -> BTreeSet<Right> {
        self.places(prefix).into_iter().flat_map(|(place, grants)| self.rights_by(place, &grants)).collect()
    }

    /// The rights by one package: a machine's, or a role's with what it includes, whoever has it.
    pub fn rights_at(&self, place: &PackageName) -> BTreeSet<Right> {
        self.rights_by(place, &self.grants_by_release(place))
    }

    fn rights_by(&self, place: &PackageName, grants: &[Granting<'_>]) -> BTreeSet<Right> {
        let mut rights = BTreeSet::new();
        self.walk(grants, |user, what, group, grant| {
            rights.insert(Right {
                user: user.clone(),
                place: place.clone(),
                what: what.owned(),
                group: group.clone(),
                grant: grant.clone(),
            });
        });
        rights
    }

    fn parts<'v>(&'v self, name: &PackageName, release: Option<&'v Codename>) -> impl Iterator<Item = &'v Part> {
        let parts = self.packages.get(name).into_iter().flatten();
        parts.filter(move |part| release.is_none_or(|release| part.releases.contains(release)))
    }

    /// It, and all roles that it brings.
    fn closure<'v>(&'v self, start: &'v PackageName, release: Option<&'v Codename>) -> BTreeSet<&'v PackageName> {
        let mut seen = BTreeSet::new();
        let mut todo = vec![start];
        while let Some(name) = todo.pop() {
            if self.packages.contains_key(name) && seen.insert(name) {
                todo.extend(self.parts(name, release).flat_map(|part| &part.depends));
            }
        }
        seen
    }
}

/// What somebody gained or lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub user: UserName,
    pub gained: bool,
    pub what: Changed,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Changed {
    /// To log in, or a rule of sudo: where (packages; the first [`KEPT`] of them, and how many more), and by which
    /// groups.
    Right { what: What, places: BTreeSet<PackageName>, more: usize, groups: BTreeSet<GroupName> },
    /// A key: its type, base64 and comment.
    Key(String),
    /// The last day of the account; None: no last day.
    Expiry(Option<jiff::civil::Date>),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let What::Sudo(rule) = self else { return f.write_str("login") };
        let (users, mut commands) = match rule.strip_prefix("ALL=(").and_then(|rest| rest.split_once(") ")) {
            Some(parts) => parts,
            None => return write!(f, "sudo {rule}"),
        };
        write!(f, "sudo as {users}")?;
        for (tag, text) in
            [("PASSWD: ", " with a password"), ("NOPASSWD: ", ""), ("NOEXEC: ", " without starting others")]
        {
            if let Some(rest) = commands.strip_prefix(tag) {
                f.write_str(text)?;
                commands = rest;
            }
        }
        write!(f, ": {commands}")
    }
}

/// The most places that a line names before it says how many more there are.
const NAMED: usize = 12;
/// The most places of one difference that are kept: a new administrator of ten thousand machines is one line.
const KEPT: usize = 100;

/// `+ bob: login on web1.example.org, web2.example.org (webteam)`
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", if self.gained { '+' } else { '-' }, self.user)?;
        match &self.what {
            Changed::Right { what, places, more, groups } => {
                let names: Vec<String> = places.iter().take(NAMED).map(place_name).collect();
                let more = more + places.len().saturating_sub(NAMED);
                let groups: Vec<&str> = groups.iter().map(|group| group.as_str()).collect();
                write!(f, "{what}, on {}", names.join(", "))?;
                if more > 0 {
                    write!(f, " and {more} more")?;
                }
                write!(f, " ({})", groups.join(", "))
            }
            Changed::Key(key) => {
                let shown = crate::ssh_key::PublicKey::parse(key)
                    .map_or_else(|_| key.clone(), |key| format!("{} {}", key.fingerprint(), key.comment()));
                write!(f, "key {}", shown.trim_end())
            }
            Changed::Expiry(Some(day)) => write!(f, "access until {day}"),
            Changed::Expiry(None) => f.write_str("access without an end"),
        }
    }
}

/// A package as people call the place: the machine's name, or `machines with the role web`.
pub fn place_name(package: &PackageName) -> String {
    let rest = package.as_str().split_once('-').map_or("", |(_, rest)| rest);
    match (rest.strip_prefix("host-"), rest.strip_prefix("role-")) {
        (Some(host), _) => host.to_owned(),
        (_, Some(role)) => format!("machines with the role {role}"),
        _ => package.to_string(),
    }
}

/// The parts of a machine's packages that grant something on one release, with their packages.
type Granting<'v> = Vec<(&'v PackageName, &'v Part)>;

/// What somebody may do, and by which groups.
type Had<'v> = BTreeMap<(&'v UserName, Kind<'v>), BTreeSet<&'v GroupName>>;

/// In which places, and by which groups.
type Where<'v> = (BTreeSet<&'v PackageName>, BTreeSet<&'v GroupName>);

/// [`What`], borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind<'v> {
    Login,
    Sudo(&'v str),
}

impl Kind<'_> {
    fn owned(self) -> What {
        match self {
            Kind::Login => What::Login,
            Kind::Sudo(rule) => What::Sudo(rule.to_owned()),
        }
    }
}

impl View {
    /// Where somebody may have rights, and what grants them there: the machines of the tree, and roles that none of
    /// them has.
    fn places<'v>(&'v self, prefix: &Prefix) -> BTreeMap<&'v PackageName, Vec<Granting<'v>>> {
        let host = format!("{prefix}-host-");
        let (hosts, roles): (Vec<_>, Vec<_>) = self.packages.keys().partition(|name| name.as_str().starts_with(&host));
        let mut used: BTreeSet<&PackageName> = BTreeSet::new();
        for place in &hosts {
            for part in &self.packages[*place] {
                used.extend(self.closure(place, part.releases.first()));
            }
        }
        let mut places: BTreeMap<_, _> =
            hosts.into_iter().map(|place| (place, self.grants_by_release(place))).collect();
        for place in roles.into_iter().filter(|role| !used.contains(*role)) {
            places.insert(place, vec![self.granting(place, None)]);
        }
        places
    }

    fn grants_by_release<'v>(&'v self, place: &PackageName) -> Vec<Granting<'v>> {
        let Some((place, parts)) = self.packages.get_key_value(place) else { return Vec::new() };
        parts.iter().map(|part| self.granting(place, part.releases.first())).collect()
    }

    fn granting<'v>(&'v self, place: &'v PackageName, release: Option<&'v Codename>) -> Granting<'v> {
        let closure = self.closure(place, release).into_iter();
        let parts = closure.flat_map(|name| self.parts(name, release).map(move |part| (name, part)));
        parts.filter(|(_, part)| !part.grants.login.is_empty() || !part.grants.sudo.is_empty()).collect()
    }

    /// Everything that somebody may do where these packages are: who, what, and by which group and package.
    fn walk<'v>(
        &'v self,
        grants: &[Granting<'v>],
        mut each: impl FnMut(&'v UserName, Kind<'v>, &'v GroupName, &'v PackageName),
    ) {
        let members = |group: &GroupName| self.members.get(group).into_iter().flat_map(|m| m.users.keys());
        for parts in grants {
            let mut accounts: BTreeSet<&UserName> = BTreeSet::new();
            for (package, part) in parts {
                for group in &part.grants.login {
                    for user in members(group) {
                        accounts.insert(user);
                        each(user, Kind::Login, group, package);
                    }
                }
            }
            for (package, part) in parts {
                for (group, lines) in &part.grants.sudo {
                    // Without an account there, a membership gives nothing.
                    for user in members(group).filter(|user| accounts.contains(user)) {
                        for line in lines {
                            let rule = line.split_once(' ').map_or(line.as_str(), |(_, rule)| rule);
                            each(user, Kind::Sudo(rule), group, package);
                        }
                    }
                }
            }
        }
    }

    fn had<'v>(&'v self, grants: &[Granting<'v>]) -> Had<'v> {
        let mut had = Had::new();
        self.walk(grants, |user, what, group, _| {
            had.entry((user, what)).or_default().insert(group);
        });
        had
    }
}

/// What is different for whom, by name. A right that is had by another group or role than before is the same.
///
/// Machines on which the same packages grant something, before and after, are looked at once: of ten thousand that
/// are a few hundred.
pub fn differences(prefix: &Prefix, before: &View, after: &View) -> Vec<Difference> {
    let (old, new) = (before.places(prefix), after.places(prefix));
    let address = |grants: Option<&Vec<Granting<'_>>>| -> Vec<Vec<*const Part>> {
        let parts = |parts: &Granting<'_>| parts.iter().map(|(_, part)| std::ptr::from_ref(*part)).collect();
        grants.into_iter().flatten().map(parts).collect()
    };
    let mut alike: BTreeMap<_, Vec<&PackageName>> = BTreeMap::new();
    let mut classes = Vec::new();
    for place in old.keys().chain(new.keys().filter(|place| !old.contains_key(*place))) {
        let (had, has) = (old.get(place), new.get(place));
        let same = alike.entry((address(had), address(has))).or_insert_with(|| {
            classes.push((had, has));
            Vec::new()
        });
        same.push(place);
    }
    let mut changed: BTreeMap<(&UserName, bool, Kind<'_>), Where<'_>> = BTreeMap::new();
    for (old, new) in classes {
        let places = &alike[&(address(old), address(new))];
        let (had, has) =
            (old.map_or_else(Had::new, |parts| before.had(parts)), new.map_or_else(Had::new, |parts| after.had(parts)));
        for (gained, rights, others) in [(false, &had, &has), (true, &has, &had)] {
            for ((user, what), groups) in rights {
                if !others.contains_key(&(*user, *what)) {
                    let entry = changed.entry((user, gained, *what)).or_default();
                    entry.0.extend(places);
                    entry.1.extend(groups);
                }
            }
        }
    }
    let mut out: Vec<Difference> = changed
        .into_iter()
        .map(|((user, gained, what), (places, groups))| Difference {
            user: user.clone(),
            gained,
            what: Changed::Right {
                what: what.owned(),
                more: places.len().saturating_sub(KEPT),
                places: places.into_iter().take(KEPT).cloned().collect(),
                groups: groups.into_iter().cloned().collect(),
            },
        })
        .collect();
    let (old, new) = (people(before), people(after));
    for (user, (old_expiry, old_keys)) in &old {
        let Some((new_expiry, new_keys)) = new.get(user) else { continue };
        let key =
            |gained, key: &&str| Difference { user: (*user).clone(), gained, what: Changed::Key((*key).to_owned()) };
        out.extend(old_keys.difference(new_keys).map(|k| key(false, k)));
        out.extend(new_keys.difference(old_keys).map(|k| key(true, k)));
        if old_expiry != new_expiry {
            let later = match (old_expiry, new_expiry) {
                (Some(_), None) => true,
                (Some(old), Some(new)) => new > old,
                (None, _) => false,
            };
            out.push(Difference { user: (*user).clone(), gained: later, what: Changed::Expiry(*new_expiry) });
        }
    }
    out.sort_by(|a, b| (&a.user, a.gained, &a.what).cmp(&(&b.user, b.gained, &b.what)));
    out
}

/// Everybody who is in some group: the account's last day, and their keys.
fn people(view: &View) -> BTreeMap<&UserName, (Option<jiff::civil::Date>, BTreeSet<&str>)> {
    let mut people: BTreeMap<_, (Option<jiff::civil::Date>, BTreeSet<&str>)> = BTreeMap::new();
    for (name, member) in view.members.values().flat_map(|members| &members.users) {
        let entry = people.entry(name).or_default();
        entry.0 = member.expires;
        entry.1.extend(member.keys.iter().map(|key| key.key.as_str()));
    }
    people
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `machines` machines with a role that lets a group in, in which these people are.
    fn view(machines: usize, people: &[&str]) -> View {
        let name = |text: &str| PackageName::parse(text).unwrap();
        let group = GroupName::parse("webteam").unwrap();
        let mut text = "debrole-access 1\npackage pg-access-webteam\ngroup webteam 3001\n".to_owned();
        for (number, user) in people.iter().enumerate() {
            text.push_str(&format!("user {user} {} /bin/bash - keep {user}\n", 2001 + number));
        }
        let grants = Grants {
            login: BTreeSet::from([group.clone()]),
            sudo: BTreeMap::from([(group.clone(), BTreeSet::from(["%webteam ALL=(root) PASSWD: /usr/bin/id".into()]))]),
            ..Grants::default()
        };
        let role = Part { grants, ..Part::default() };
        let mut packages = BTreeMap::from([(name("pg-role-web"), vec![role])]);
        for number in 0..machines {
            let depends = BTreeSet::from([name("pg-role-web")]);
            packages
                .insert(name(&format!("pg-host-w{number:03}.example.org")), vec![Part { depends, ..Part::default() }]);
        }
        View { members: BTreeMap::from([(group, Members::parse(&text).unwrap())]), packages }
    }

    #[test]
    fn what_changes_on_many_machines_is_one_line_a_right() {
        let prefix = Prefix::parse("pg").unwrap();
        let said = |before: &View, after: &View| -> Vec<String> {
            differences(&prefix, before, after).iter().map(ToString::to_string).collect()
        };
        let found = differences(&prefix, &view(150, &["alice"]), &view(150, &["alice", "bob"]));
        let Changed::Right { places, more, .. } = &found[0].what else { panic!("{found:?}") };
        assert_eq!((found.len(), places.len(), *more), (2, KEPT, 50));
        let line = found[0].to_string();
        assert!(line.starts_with("+ bob: login, on w000.example.org, w001.example.org"), "{line}");
        assert!(line.ends_with(" and 138 more (webteam)"), "{line}");
        // A machine that leaves takes the rights on it along; the others are as they were.
        assert_eq!(
            said(&view(3, &["alice"]), &view(2, &["alice"])),
            [
                "- alice: login, on w002.example.org (webteam)",
                "- alice: sudo as root with a password: /usr/bin/id, on w002.example.org (webteam)"
            ]
        );
        assert_eq!(said(&view(3, &["alice"]), &view(3, &["alice"])), [""; 0]);
        // A role that no machine has grants to whoever installs it.
        assert_eq!(said(&view(0, &[]), &view(0, &["bob"]))[0], "+ bob: login, on machines with the role web (webteam)");
    }
}
