//! Looking up what relations name, before the solver is asked: a misspelt name gets its near names, a version that
//! isn't there the versions that are.

use super::Target;
use super::lists::{Catalogue, Found};
use crate::diagnostics::{Diagnostic, rules};
use crate::model::{Content, Model};
use crate::names::{Codename, PackageName};
use crate::plan::PackagePlan;
use crate::relation::{Possibility, Relation, RelationField};
use crate::source::{Span, Spanned};
use std::collections::{BTreeMap, BTreeSet};

/// A relation that can't hold in one target, and so is left out of what the solver is asked: index of the target,
/// the package that has it, the relation.
pub(super) type Unsatisfiable = BTreeSet<(usize, PackageName, Relation)>;

/// What of it concerns one target.
pub(super) fn omitted(unsatisfiable: &Unsatisfiable, target: usize) -> BTreeSet<(&PackageName, &Relation)> {
    unsatisfiable.iter().filter(|(t, ..)| *t == target).map(|(_, name, relation)| (name, relation)).collect()
}

pub(super) struct LookedUp {
    pub diagnostics: Vec<Diagnostic>,
    pub unsatisfiable: Unsatisfiable,
}

/// One relation as it stands in the tree: written once, it may count for several releases.
struct Asked<'a> {
    owner: PackageName,
    field: RelationField,
    relation: &'a Relation,
    /// Indexes of the targets that it counts for.
    targets: BTreeSet<usize>,
}

/// The relations of the whole tree by place. What has the same place and text (a common relation of two releases)
/// is one.
fn asked<'a>(model: &'a Model, targets: &[Target]) -> BTreeMap<(Span, RelationField, &'a Relation), Asked<'a>> {
    let mut all = BTreeMap::new();
    let mut add = |owner: &PackageName, content: &'a Content, indexes: &BTreeSet<usize>| {
        for (&field, relations) in &content.relations {
            for Spanned { value: relation, span } in relations {
                all.entry((*span, field, relation))
                    .or_insert_with(|| Asked { owner: owner.clone(), field, relation, targets: BTreeSet::new() })
                    .targets
                    .extend(indexes);
            }
        }
    };
    let of_release = |codename: &Codename| -> BTreeSet<usize> {
        targets.iter().enumerate().filter(|(_, t)| t.release == *codename).map(|(i, _)| i).collect()
    };
    for (name, role) in &model.roles {
        for (codename, content) in &role.contents {
            add(&model.fleet.prefix.role_package(name), content, &of_release(codename));
        }
    }
    for (name, host) in &model.hosts {
        add(&model.fleet.prefix.host_package(name), &host.content, &of_release(&host.release.value));
    }
    all
}

/// What the fleet's own packages add to a target's names.
fn own(plans: &[PackagePlan], target: &Target) -> Catalogue {
    let mut own = Catalogue::default();
    for plan in plans {
        for variant in plan.variants.iter().filter(|v| v.releases.contains(&target.release)) {
            own.provide(plan.name.as_str());
            for relation in variant.deb.relations.get(&RelationField::Provides).into_iter().flatten() {
                own.provide(&relation.to_string());
            }
        }
    }
    own
}

pub(super) fn check(
    model: &Model,
    plans: &[PackagePlan],
    targets: &[Target],
    catalogues: &[Catalogue],
    site: &[Catalogue],
) -> LookedUp {
    let own: Vec<Catalogue> = targets.iter().map(|target| own(plans, target)).collect();
    let lookup = Lookup { model, targets, catalogues, own: &own, site };
    let mut diagnostics = lookup.names_in_debian(plans);
    let mut unsatisfiable = Unsatisfiable::new();
    for ((span, ..), asked) in asked(model, targets) {
        if !asked.field.allows_alternatives() {
            // Breaks, Conflicts and Replaces may name what isn't there (any more, or yet); Provides makes the name.
            continue;
        }
        let failing: Vec<usize> = asked
            .targets
            .iter()
            .copied()
            .filter(|&i| asked.relation.0.iter().all(|p| lookup.find(i, p) != Found::Yes))
            .collect();
        let needed = matches!(asked.field, RelationField::PreDepends | RelationField::Depends);
        if !failing.is_empty() && needed {
            diagnostics.push(lookup.cannot_hold(&asked, span, &failing));
            unsatisfiable.extend(failing.iter().map(|&i| (i, asked.owner.clone(), asked.relation.clone())));
        } else if let Some(warning) = lookup.useless(&asked, span, &failing) {
            diagnostics.push(warning);
        }
    }
    LookedUp { diagnostics, unsatisfiable }
}

struct Lookup<'a> {
    model: &'a Model,
    targets: &'a [Target],
    catalogues: &'a [Catalogue],
    /// The fleet's own names, by target.
    own: &'a [Catalogue],
    /// The names of packages/*.deb, by target.
    site: &'a [Catalogue],
}

impl Lookup<'_> {
    /// What there is in one target. The fleet's own packages get their versions later: any relation on one holds.
    fn find(&self, target: usize, possibility: &Possibility) -> Found {
        if self.own[target].has(possibility.name.as_str()) {
            return Found::Yes;
        }
        match (self.catalogues[target].find(possibility), self.site[target].find(possibility)) {
            (Found::Yes, _) | (_, Found::Yes) => Found::Yes,
            (Found::OtherVersions(mut a), Found::OtherVersions(b)) => {
                a.extend(b);
                Found::OtherVersions(a)
            }
            (found, Found::No) | (Found::No, found) => found,
        }
    }

    fn known(&self, target: usize, name: &str) -> bool {
        self.own[target].has(name) || self.catalogues[target].has(name) || self.site[target].has(name)
    }

    /// `bookworm`, `bookworm and trixie`; with the architecture where the fleet has several.
    fn text(&self, targets: impl IntoIterator<Item = usize>) -> String {
        let mut names: Vec<String> = Vec::new();
        for i in targets {
            let target = &self.targets[i];
            let name = match self.model.fleet.architectures.len() {
                1 => target.release.to_string(),
                _ => format!("{} on {}", target.release, target.architecture),
            };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        list(&names, "and")
    }

    /// A relation of which no alternative can be had: the error says the most that is known of the first one.
    fn cannot_hold(&self, asked: &Asked<'_>, span: Span, failing: &[usize]) -> Diagnostic {
        let (here, key) = (self.text(failing.iter().copied()), asked.field.key());
        let several = asked.relation.0.len() > 1;
        // The alternative that came nearest to holding decides what kind of error it is.
        let other_version = asked.relation.0.iter().find_map(|possibility| {
            let versions = failing.iter().find_map(|&i| match self.find(i, possibility) {
                Found::OtherVersions(versions) => Some((i, versions)),
                _ => None,
            })?;
            Some((possibility, versions))
        });
        let elsewhere = |possibility: &&Possibility| self.elsewhere(possibility, failing).next().is_some();
        let mut diagnostic = if let Some((possibility, (i, versions))) = other_version {
            let there = match versions.as_slice() {
                [] => format!("{} is only a virtual package there, provided without a version", possibility.name),
                versions => format!("{} has {} {}", self.targets[i].release, possibility.name, list(versions, "and")),
            };
            Diagnostic::new(&rules::version_not_in_release::RULE, format!("no {possibility} in {here}"))
                .at(span, there)
                .help(format!("ask for a version that every release has, or move it to [release.CODENAME], `{key}`"))
        } else if let Some(possibility) = asked.relation.0.iter().find(elsewhere) {
            let others = self.text(self.elsewhere(possibility, failing));
            // Of one release on two architectures nothing can be said in a table of the release.
            let by_architecture = self
                .elsewhere(possibility, failing)
                .any(|other| failing.iter().any(|&here| self.targets[here].release == self.targets[other].release));
            let help = match by_architecture {
                true => format!("add an alternative that the other architectures have: `{possibility} | …`"),
                false => format!(
                    "write it under the releases that have it: [release.CODENAME], `{key} = [\"{possibility}\"]`"
                ),
            };
            let mut diagnostic =
                Diagnostic::new(&rules::not_in_release::RULE, format!("no package {} in {here}", possibility.name))
                    .at(span, format!("only {others} has it"))
                    .help(help);
            for &i in failing.first().into_iter() {
                diagnostic = self.suggest(diagnostic, possibility.name.as_str(), i);
            }
            diagnostic
        } else {
            let possibility = &asked.relation.0[0];
            let diagnostic = Diagnostic::new(
                &rules::unknown_package::RULE,
                match several {
                    false => format!("no package {} in {here}", possibility.name),
                    true => format!("none of the packages {} is in {here}", asked.relation),
                },
            )
            .at(span, "apt would find no candidate");
            asked.relation.0.iter().fold(diagnostic, |d, p| self.suggest(d, p.name.as_str(), failing[0]))
        };
        if several {
            diagnostic = diagnostic.note(format!("no alternative of \"{}\" can be had", asked.relation));
        }
        diagnostic
    }

    /// Targets that have a name which these haven't.
    fn elsewhere<'b>(&'b self, possibility: &'b Possibility, failing: &'b [usize]) -> impl Iterator<Item = usize> + 'b {
        (0..self.targets.len()).filter(|i| !failing.contains(i) && self.known(*i, possibility.name.as_str()))
    }

    fn suggest(&self, diagnostic: Diagnostic, name: &str, target: usize) -> Diagnostic {
        let near = near_names(
            name,
            self.catalogues[target].names().chain(self.own[target].names()).chain(self.site[target].names()),
        );
        match near.as_slice() {
            [] => diagnostic,
            near => diagnostic.help(format!("near {name}: {}", list(near, "or"))),
        }
    }

    /// What does no harm but no good either: a Recommends that can't be had, a Suggests or Enhances that looks
    /// misspelt, an alternative that no release knows.
    fn useless(&self, asked: &Asked<'_>, span: Span, failing: &[usize]) -> Option<Diagnostic> {
        let nowhere: Vec<&Possibility> = asked
            .relation
            .0
            .iter()
            .filter(|p| (0..self.targets.len()).all(|i| !self.known(i, p.name.as_str())))
            .collect();
        let first = *asked.targets.first()?;
        if let Some(possibility) = nowhere.first() {
            let what = match asked.relation.0.len() {
                1 => format!("{} of a package that does not exist: {}", asked.field.key(), possibility.name),
                _ => format!("an alternative that does not exist: {}", possibility.name),
            };
            let diagnostic = Diagnostic::new(&rules::useless_relation::RULE, what)
                .at(span, format!("not in {}", self.text(0..self.targets.len())));
            let diagnostic = self.suggest(diagnostic, possibility.name.as_str(), first);
            // What is suggested may well be nowhere in Debian (Debian Policy 7.2), unless it looks misspelt.
            let optional = matches!(asked.field, RelationField::Suggests | RelationField::Enhances);
            return (!optional || !diagnostic.help.is_empty()).then_some(diagnostic);
        }
        if asked.field != RelationField::Recommends || failing.is_empty() {
            return None;
        }
        Some(
            Diagnostic::new(
                &rules::useless_relation::RULE,
                format!(
                    "apt can't follow the recommendation of {} in {}",
                    asked.relation,
                    self.text(failing.iter().copied())
                ),
            )
            .at(span, "apt leaves it out without a word"),
        )
    }

    /// Names that debrole makes and Debian has too: apt would take whichever version is higher.
    fn names_in_debian(&self, plans: &[PackagePlan]) -> Vec<Diagnostic> {
        let mut diagnostics = Vec::new();
        for plan in plans {
            let taken: Vec<usize> =
                (0..self.targets.len()).filter(|&i| self.catalogues[i].has(plan.name.as_str())).collect();
            if taken.is_empty() {
                continue;
            }
            let span = plan.span.unwrap_or(self.model.fleet.span);
            let versions = self.catalogues[taken[0]].versions(plan.name.as_str());
            diagnostics.push(
                Diagnostic::new(
                    &rules::name_in_debian::RULE,
                    format!("the name {} is Debian's already, in {}", plan.name, self.text(taken)),
                )
                .at(
                    span,
                    match versions.as_slice() {
                        [] => "a virtual package there".to_owned(),
                        versions => format!("version {} there", list(versions, "and")),
                    },
                )
                .help("choose another name, or another `prefix` in debrole.toml before anything is published"),
            );
        }
        diagnostics
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn list<S: AsRef<str>>(items: &[S], last: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [most @ .., end] => {
            let most: Vec<&str> = most.iter().map(AsRef::as_ref).collect();
            format!("{} {last} {}", most.join(", "), end.as_ref())
        }
    }
}

/// Up to three names that may have been meant: few edits away, or the same but for a part at the end
/// (`postgres` for `postgresql`).
fn near_names<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Vec<String> {
    let limit = (name.len() / 4).clamp(1, 3);
    let mut near: BTreeSet<(usize, &str)> = BTreeSet::new();
    for candidate in candidates {
        let longer = candidate.len().abs_diff(name.len());
        if longer <= limit {
            let distance = strsim::damerau_levenshtein(name, candidate);
            if distance <= limit {
                near.insert((distance, candidate));
            }
        } else if name.len() >= 5 && longer <= 4 && candidate.starts_with(name) {
            near.insert((longer, candidate));
        }
    }
    near.into_iter().take(3).map(|(_, candidate)| candidate.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_few_edits_or_a_suffix_away() {
        let names = ["nginx", "nginx-full", "nano", "postgresql", "postgresql-15", "varnish", "vim"];
        assert_eq!(near_names("ngnix", names.into_iter()), ["nginx"]);
        assert_eq!(near_names("postgres", names.into_iter()), ["postgresql"]);
        assert_eq!(near_names("varnihs", names.into_iter()), ["varnish"]);
        assert!(near_names("apache2", names.into_iter()).is_empty());
    }

    #[test]
    fn lists_read_as_sentences() {
        assert_eq!(list(&["a"], "and"), "a");
        assert_eq!(list(&["a", "b", "c"], "or"), "a, b or c");
    }
}
