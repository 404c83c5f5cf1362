//! Relation fields, and what is checked of them beyond their syntax.

use super::{Facts, content::Site};
use crate::diagnostics::{Diagnostic, rules};
use crate::model::SitePackage;
use crate::names::PackageName;
use crate::relation::{self, Relation, RelationErrorKind as Kind, RelationField};
use crate::schema::{Text, Texts, ast};
use crate::source::{Span, Spanned};
use std::collections::{BTreeMap, BTreeSet};

fn field(content: &ast::Content, field: RelationField) -> Option<&Texts> {
    match field {
        RelationField::PreDepends => content.pre_depends.as_ref(),
        RelationField::Depends => content.depends.as_ref(),
        RelationField::Recommends => content.recommends.as_ref(),
        RelationField::Suggests => content.suggests.as_ref(),
        RelationField::Enhances => content.enhances.as_ref(),
        RelationField::Breaks => content.breaks.as_ref(),
        RelationField::Conflicts => content.conflicts.as_ref(),
        RelationField::Replaces => content.replaces.as_ref(),
        RelationField::Provides => content.provides.as_ref(),
    }
}

/// All names that are provided somewhere in the tree, and those of the site's own packages.
pub fn provided<'a>(
    contents: impl Iterator<Item = Vec<&'a ast::Content>>,
    packages: &[SitePackage],
) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for content in contents.flatten() {
        for text in content.provides.iter().flat_map(|list| &list.value) {
            let name = text.value.trim().split([' ', '(', ':']).next().unwrap_or("");
            names.insert(name.to_owned());
        }
    }
    for package in packages {
        let file = package.path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        names.insert(file.split('_').next().unwrap_or("").to_owned());
    }
    names
}

type Relations = BTreeMap<RelationField, Vec<Spanned<Relation>>>;

pub fn resolve(content: &ast::Content, site: &Site<'_>, out: &mut Vec<Diagnostic>) -> Relations {
    let mut map = Relations::new();
    for name in RelationField::ALL {
        let Some(list) = field(content, name) else { continue };
        let mut relations: Vec<Spanned<Relation>> = Vec::with_capacity(list.value.len());
        let mut seen: BTreeMap<Relation, Span> = BTreeMap::new();
        for text in &list.value {
            match relation::parse(&text.value, name) {
                Ok(relation) => {
                    fleet_packages(&relation, name, text, site, out);
                    if let Some(first) = seen.get(&relation) {
                        out.push(
                            Diagnostic::new(
                                &rules::duplicate_relation::RULE,
                                format!("{} lists \"{relation}\" twice", name.control_name()),
                            )
                            .at(text.span, "again here")
                            .also(*first, "first here")
                            .help("remove one of them"),
                        );
                    } else {
                        seen.insert(relation.clone(), text.span);
                        relations.push(Spanned::new(relation, text.span));
                    }
                }
                Err(errors) => {
                    for error in errors {
                        let rule = match error.kind {
                            Kind::Syntax => &rules::invalid_relation::RULE,
                            Kind::PackageName => &rules::invalid_package_name::RULE,
                            Kind::Version => &rules::invalid_version::RULE,
                            Kind::Operator => &rules::invalid_operator::RULE,
                            Kind::ArchitectureRestriction => &rules::architecture_restriction::RULE,
                            Kind::BuildProfile => &rules::build_profile::RULE,
                            Kind::Alternatives => &rules::alternatives_not_allowed::RULE,
                            Kind::ProvidedVersion => &rules::provides_needs_equals::RULE,
                        };
                        out.push(Diagnostic::new(rule, error.message).at(text.part(error.range), "").help(error.help));
                    }
                }
            }
        }
        if !relations.is_empty() {
            map.insert(name, relations);
        }
    }
    map
}

/// Relations to the fleet's own packages: those must exist, and nobody may provide them.
fn fleet_packages(relation: &Relation, field: RelationField, text: &Text, site: &Site<'_>, out: &mut Vec<Diagnostic>) {
    let Some(prefix) = &site.facts.prefix else { return };
    for possibility in &relation.0 {
        let name = possibility.name.as_str();
        let at = text.value.find(name).map_or(0..text.value.len(), |at| at..at + name.len());
        let Some(rest) = name.strip_prefix(prefix.as_str()).and_then(|rest| rest.strip_prefix('-')) else { continue };
        let own = site.package.as_deref() == Some(name);
        if own && field != RelationField::Provides && field != RelationField::Replaces {
            out.push(
                Diagnostic::new(&rules::self_relation::RULE, format!("{name} can't have a relation to itself"))
                    .at(text.part(at), "this package")
                    .help("remove the entry"),
            );
            continue;
        }
        let generated = ["runtime", "archive-keyring", "host", "access", "known-hosts"].contains(&rest);
        let folder = [("role-", "roles"), ("host-", "hosts"), ("access-", "groups")]
            .into_iter()
            .find_map(|(kind, folder)| rest.strip_prefix(kind).map(|of| (of, folder)));
        if field == RelationField::Provides {
            if generated || folder.is_some() {
                out.push(
                    Diagnostic::new(
                        &rules::reserved_package_name::RULE,
                        format!("\"{name}\" is a name of debrole's own: nothing else can provide it"),
                    )
                    .at(text.part(at), "")
                    .help("provide another name"),
                );
            }
            continue;
        }
        let Some((of, folder)) = folder else { continue };
        if !known(of, folder, name, site.facts) {
            let names = in_folder(folder, site.facts);
            let kind = if folder == "groups" { "access" } else { folder.trim_end_matches('s') };
            let mut diagnostic = Diagnostic::new(
                &rules::unknown_fleet_package::RULE,
                format!("there will be no package {name}: there is no {folder}/{of}.toml"),
            )
            .at(text.part(at), "");
            diagnostic = match crate::near::nearest(of, names.iter().map(String::as_str)) {
                Some(near) => diagnostic.help(format!("did you mean {prefix}-{kind}-{near}?")),
                None => diagnostic.help(format!("add {folder}/{of}.toml, or remove the entry")),
            };
            out.push(diagnostic);
        }
    }
}

fn in_folder<'f>(folder: &str, facts: &'f Facts) -> &'f BTreeSet<String> {
    match folder {
        "roles" => &facts.roles,
        "groups" => &facts.groups,
        _ => &facts.hosts,
    }
}

fn known(of: &str, folder: &str, name: &str, facts: &Facts) -> bool {
    in_folder(folder, facts).contains(of) || facts.provided.contains(name)
}

/// A package's name alone.
pub fn package_name(text: &Text, out: &mut Vec<Diagnostic>) -> Option<Spanned<PackageName>> {
    match PackageName::parse(&text.value) {
        Ok(name) => Some(Spanned::new(name, text.span)),
        Err(error) => {
            let lower = text.value.to_lowercase();
            let help = match PackageName::parse(&lower) {
                Ok(_) => format!("package names are in lower case: \"{lower}\""),
                Err(_) => "write the name alone, as `apt show` has it".to_owned(),
            };
            out.push(
                Diagnostic::new(
                    &rules::invalid_package_name::RULE,
                    format!("\"{}\": {error}", text.value.escape_debug()),
                )
                .at(text.span, "")
                .help(help),
            );
            None
        }
    }
}
