//! What is between roles: includes without cycles, on all releases that need them, without conflicts.

use super::Facts;
use crate::diagnostics::{Diagnostic, rules};
use crate::model::{Host, Role};
use crate::names::{HostName, RoleName};
use crate::relation::{Relation, RelationField};
use crate::source::{Span, Spanned};
use std::collections::{BTreeMap, BTreeSet};

type Roles = BTreeMap<RoleName, Role>;

/// `releases`: where each role says which releases it is for, if it does.
pub fn check(
    roles: &Roles,
    hosts: &BTreeMap<HostName, Host>,
    releases: &BTreeMap<&str, Span>,
    facts: &Facts,
    out: &mut Vec<Diagnostic>,
) {
    cycles(roles, out);
    for (name, role) in roles {
        for include in &role.includes {
            let Some(included) = roles.get(&include.value) else { continue };
            let missing: Vec<_> = role.contents.keys().filter(|c| !included.contents.contains_key(*c)).collect();
            if let Some(first) = missing.first().filter(|_| !included.contents.is_empty()) {
                let named = missing.iter().map(|c| c.as_str()).collect::<Vec<_>>().join(" and ");
                out.push(
                    Diagnostic::new(
                        &rules::include_not_on_release::RULE,
                        format!("{name} is for {named}, but {} is not", include.value),
                    )
                    .at(include.span, format!("not for {first}"))
                    .also(
                        releases.get(include.value.as_str()).copied().unwrap_or(included.name.span),
                        format!("{} is for these", include.value),
                    )
                    .help(format!(
                        "add \"{first}\" to the `releases` of {}, or set `releases` of {name}",
                        include.value
                    )),
                );
            }
        }
    }
    for (name, host) in hosts {
        for role in &host.roles {
            let Some(found) = roles.get(&role.value) else { continue };
            if !found.contents.is_empty() && !found.contents.contains_key(&host.release.value) {
                out.push(
                    Diagnostic::new(
                        &rules::role_not_on_release::RULE,
                        format!("{name} runs {}, but the role {} is not for it", host.release.value, role.value),
                    )
                    .at(role.span, format!("not for {}", host.release.value))
                    .also(host.release.span, "the machine's release")
                    .also(
                        releases.get(role.value.as_str()).copied().unwrap_or(found.name.span),
                        format!("{} is for these", role.value),
                    )
                    .help(format!("add \"{}\" to the `releases` of {}", host.release.value, role.value)),
                );
            }
        }
    }
    let Some(prefix) = &facts.prefix else { return };
    let role_of = |relation: &Relation| -> Option<RoleName> {
        let [only] = relation.0.as_slice() else { return None };
        let name = only.name.as_str().strip_prefix(&format!("{prefix}-role-"))?;
        RoleName::parse(name).ok()
    };
    let mut refusals: BTreeMap<&RoleName, BTreeMap<RoleName, Span>> = BTreeMap::new();
    for (name, role) in roles {
        for content in role.contents.values() {
            for field in [RelationField::Conflicts, RelationField::Breaks] {
                for relation in content.relations.get(&field).into_iter().flatten() {
                    if let Some(other) = role_of(&relation.value) {
                        refusals.entry(name).or_default().insert(other, relation.span);
                    }
                }
            }
        }
    }
    if refusals.is_empty() {
        return;
    }
    for (name, refused) in &refusals {
        let Some(role) = roles.get(*name) else { continue };
        let included = closure(roles, role.includes.iter().map(|i| &i.value));
        for (other, span) in refused.iter().filter(|(other, _)| included.contains(other)) {
            out.push(
                Diagnostic::new(
                    &rules::conflicts_with_included::RULE,
                    format!("{name} includes {other} and conflicts with it: it could never be installed"),
                )
                .at(*span, "the conflict")
                .also(
                    role.includes.first().map_or(role.name.span, |i| include_to(roles, role, other).unwrap_or(i.span)),
                    "included through this",
                )
                .help("remove one of them"),
            );
        }
    }
    for (name, host) in hosts {
        for first in &host.roles {
            let first_all = closure(roles, [&first.value]);
            for second in host.roles.iter().filter(|second| second.value != first.value) {
                let second_all = closure(roles, [&second.value]);
                let met = first_all.iter().find_map(|a| {
                    refusals.get(*a)?.iter().find(|(b, _)| second_all.contains(b) && !first_all.contains(b))
                });
                if let Some((other, span)) = met {
                    out.push(
                        Diagnostic::new(
                            &rules::conflicting_roles::RULE,
                            format!("{name} can't be {} and {} at once", first.value, second.value),
                        )
                        .at(second.span, "this role")
                        .also(first.span, "and this one exclude each other")
                        .also(*span, format!("here: it conflicts with {other}"))
                        .help("remove one of the roles"),
                    );
                }
            }
        }
    }
}

/// The include of `role` through which it gets `other`.
fn include_to(roles: &Roles, role: &Role, other: &RoleName) -> Option<Span> {
    role.includes.iter().find(|i| closure(roles, [&i.value]).contains(other)).map(|i| i.span)
}

fn closure<'a>(roles: &'a Roles, start: impl IntoIterator<Item = &'a RoleName>) -> BTreeSet<&'a RoleName> {
    let mut seen = BTreeSet::new();
    let mut todo: Vec<&RoleName> = start.into_iter().collect();
    while let Some(name) = todo.pop() {
        if seen.insert(name)
            && let Some(role) = roles.get(name)
        {
            todo.extend(role.includes.iter().map(|r| &r.value));
        }
    }
    seen
}

/// Reports each cycle once, from its role that sorts first.
fn cycles(roles: &Roles, out: &mut Vec<Diagnostic>) {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        OnTrail,
        Done,
    }
    let mut marks: BTreeMap<&RoleName, Mark> = BTreeMap::new();
    for start in roles.keys() {
        if marks.contains_key(start) {
            continue;
        }
        // The roles on the way here, each with the number of its next include to follow. Not recursive: a chain of
        // includes may be as long as there are roles.
        let mut trail: Vec<(&RoleName, usize)> = vec![(start, 0)];
        marks.insert(start, Mark::OnTrail);
        while let Some((name, next)) = trail.last_mut() {
            let Some(include) = roles.get(*name).and_then(|role| role.includes.get(*next)) else {
                marks.insert(*name, Mark::Done);
                trail.pop();
                continue;
            };
            *next += 1;
            match marks.get(&include.value) {
                Some(Mark::Done) => {}
                Some(Mark::OnTrail) => {
                    let from = trail.iter().position(|(name, _)| **name == include.value).unwrap_or(0);
                    let steps: Vec<(&RoleName, &Spanned<RoleName>)> = trail[from..]
                        .iter()
                        .filter_map(|(name, next)| Some((*name, roles.get(*name)?.includes.get(next.checked_sub(1)?)?)))
                        .collect();
                    out.push(cycle(steps));
                }
                None if roles.contains_key(&include.value) => {
                    marks.insert(&include.value, Mark::OnTrail);
                    trail.push((&include.value, 0));
                }
                None => {}
            }
        }
    }
}

fn cycle(mut steps: Vec<(&RoleName, &Spanned<RoleName>)>) -> Diagnostic {
    let first = steps.iter().enumerate().min_by_key(|(_, (name, _))| *name).map_or(0, |(i, _)| i);
    steps.rotate_left(first);
    let message = match steps.as_slice() {
        [(name, _)] => format!("the role {name} includes itself"),
        _ => {
            let way: Vec<&str> = steps.iter().map(|(name, _)| name.as_str()).collect();
            format!("roles include each other in a circle: {} → {}", way.join(" → "), way[0])
        }
    };
    let mut diagnostic = Diagnostic::new(&rules::include_cycle::RULE, message)
        .help("remove one of these includes; what both need goes into a role that both include");
    for (i, (name, include)) in steps.into_iter().enumerate() {
        let text = format!("{name} includes {}", include.value);
        diagnostic = if i == 0 { diagnostic.at(include.span, text) } else { diagnostic.also(include.span, text) };
    }
    diagnostic
}
