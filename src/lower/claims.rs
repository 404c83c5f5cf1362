//! No two packages that can meet on one machine may claim one path, and none may put something below a path that
//! another wants to be a file.

use super::meeting::{Meeting, Party};
use crate::diagnostics::{Diagnostic, rules};
use crate::names::{Codename, PackageName};
use crate::plan::{Claim, ClaimKind, PackagePlan};
use std::collections::BTreeMap;

/// A path with more clashes than this is reported so many times; the last one says how many there are.
const REPORTED: usize = 8;

#[derive(Clone, Copy)]
struct Claimant<'a, 'm> {
    claim: &'a Claim,
    package: &'a PackageName,
    party: Party<'m>,
}

/// All clashes between the plans, whose owners stand at the same places in `parties`.
pub fn check(plans: &[PackagePlan], parties: &[Party<'_>], meeting: &Meeting<'_>) -> Vec<Diagnostic> {
    let mut by_path: BTreeMap<&str, Vec<Claimant<'_, '_>>> = BTreeMap::new();
    for (plan, party) in plans.iter().zip(parties) {
        for claim in &plan.claims {
            // The role's own claim stands for its hosts' renderings: who has them has the role.
            if claim.kind != ClaimKind::Rendering {
                by_path.entry(claim.path.as_str()).or_default().push(Claimant {
                    claim,
                    package: &plan.name,
                    party: *party,
                });
            }
        }
    }
    let mut diagnostics = Vec::new();
    for (path, claimants) in &by_path {
        let mut found = 0;
        // Claims that may stand side by side are kept together: thousands of roles may share a directory.
        let mut groups: BTreeMap<&ClaimKind, Vec<&Claimant<'_, '_>>> = BTreeMap::new();
        for one in claimants {
            let kind = &one.claim.kind;
            let shareable = matches!(kind, ClaimKind::Directory { .. } | ClaimKind::Absent);
            let others = groups.iter().filter(|(other, _)| !(shareable && **other == kind)).flat_map(|(_, all)| all);
            let mut clashing = others.filter(|other| meet(one, other, meeting).is_some());
            let first = if found < REPORTED { clashing.min_by_key(|other| other.package) } else { clashing.next() };
            if let Some(other) = first {
                found += 1;
                if found <= REPORTED {
                    diagnostics.push(twice(path, one, other));
                }
            }
            groups.entry(kind).or_default().push(one);
        }
        if found > REPORTED
            && let Some(last) = diagnostics.last_mut()
        {
            last.notes.push(format!("{} more packages claim {path}", found - REPORTED));
        }
        // A file needs each directory above it to be one.
        for one in claimants {
            let above = one.claim.path.ancestors().filter_map(|above| by_path.get(above)).flatten();
            if let Some(other) = above
                .filter(|other| !matches!(other.claim.kind, ClaimKind::Directory { .. }))
                .find(|other| meet(one, other, meeting).is_some())
            {
                diagnostics.push(below(one, other));
            }
        }
    }
    diagnostics
}

/// A release on which both claims hold and both packages can be installed.
fn meet<'a>(a: &Claimant<'a, '_>, b: &Claimant<'a, '_>, meeting: &Meeting<'_>) -> Option<&'a Codename> {
    let common = a.claim.releases.iter().filter(|release| b.claim.releases.contains(release));
    common.into_iter().find(|release| a.package == b.package || meeting.can_meet(a.party, b.party, release))
}

fn wants(claimant: &Claimant<'_, '_>) -> String {
    let package = claimant.package;
    match &claimant.claim.kind {
        ClaimKind::InPlace | ClaimKind::Managed | ClaimKind::Rendering => format!("{package} puts something here"),
        ClaimKind::Directory { mode, owner, group } => {
            format!("{package} wants a directory here, mode {mode:04o}, {owner}:{group}")
        }
        ClaimKind::Absent => format!("{package} keeps this path away"),
    }
}

fn twice(path: &str, one: &Claimant<'_, '_>, other: &Claimant<'_, '_>) -> Diagnostic {
    let message = if one.package == other.package {
        format!("{} claims {path} twice", one.package)
    } else {
        format!("{} and {} both claim {path}", other.package, one.package)
    };
    let diagnostic = Diagnostic::new(&rules::path_claimed_twice::RULE, message)
        .at(one.claim.span, wants(one))
        .also(other.claim.span, wants(other));
    advise(diagnostic, one, other)
}

fn below(one: &Claimant<'_, '_>, other: &Claimant<'_, '_>) -> Diagnostic {
    let (path, above) = (&one.claim.path, &other.claim.path);
    let message = match other.claim.kind {
        ClaimKind::Absent => format!("{} puts {path} below {above}, which {} keeps away", one.package, other.package),
        _ => format!("{} puts {path} below {above}, which {} claims as a file", one.package, other.package),
    };
    let diagnostic = Diagnostic::new(&rules::path_claimed_twice::RULE, message)
        .at(one.claim.span, wants(one))
        .also(other.claim.span, wants(other));
    advise(diagnostic, one, other)
}

fn advise(diagnostic: Diagnostic, one: &Claimant<'_, '_>, other: &Claimant<'_, '_>) -> Diagnostic {
    match (one.party, other.party) {
        _ if one.package == other.package => diagnostic.help("remove one of them"),
        (Party::Every, _) | (_, Party::Every) => diagnostic.help("choose another path"),
        (Party::Role(_), Party::Role(_)) => diagnostic.help(format!(
            "choose another path, move it into a role that both include, or let the roles exclude each other: conflicts = [\"{}\"]",
            other.package
        )),
        _ => diagnostic.help(
            "choose another path, or make the role's file a template that uses host.…: a host's rendering takes the place of its role's",
        ),
    }
}
