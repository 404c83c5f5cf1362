//! `roles/<role>.toml` → [`Role`].

use super::content::{self, Site};
use super::text::{duplicates, lines, one_line};
use super::{Facts, monitoring, values};
use crate::diagnostics::{Diagnostic, rules};
use crate::model::{Content, Role};
use crate::names::{Codename, RoleName};
use crate::schema::{Text, Texts, ast};
use crate::source::{Sources, Spanned};
use crate::tree::Definition;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What could be made of the role: with errors, as much as the checks across roles need.
pub fn resolve(
    name: &str,
    definition: &Definition,
    ast: &ast::Role,
    facts: &Facts,
    sources: &Sources,
    out: &mut Vec<Diagnostic>,
) -> Option<Role> {
    let role = RoleName::parse(name).ok()?;
    let mut site = Site {
        facts,
        definition,
        sources,
        folder: format!("roles/{name}"),
        package: facts.prefix.as_ref().map(|prefix| format!("{prefix}-role-{name}")),
        used: BTreeSet::new(),
    };
    let summary = ast.summary.as_ref().filter(|text| synopsis(text, out));
    let description = ast.description.as_ref().filter(|text| lines(text, "a description", out));
    let includes = ast.includes.as_ref().map(|list| role_names(list, facts, out)).unwrap_or_default();
    let values = values::resolve(ast.values.as_ref(), "host", values::HOST_BUILT_IN, out);

    let own_releases = ast.releases.as_ref().map(|list| {
        duplicates(list, "the release", out);
        if list.value.is_empty() {
            out.push(
                Diagnostic::new(&rules::empty_text::RULE, "a role for no release is never built")
                    .at(list.span, "")
                    .help("name a release, or remove the line: the role is for all then"),
            );
        }
        list.value.iter().filter_map(|text| release(text, facts, out)).collect::<BTreeSet<_>>()
    });
    let common = content::resolve(&ast.content, &mut site, out);
    let mut differing: BTreeMap<Codename, Content> = BTreeMap::new();
    for (codename, part) in ast.release.iter().flat_map(|named| &named.0) {
        let resolved = content::resolve(&part.content, &mut site, out);
        let Some(known) = release(codename, facts, out) else { continue };
        if own_releases.as_ref().is_some_and(|own| !own.contains(&known)) {
            out.push(
                Diagnostic::new(&rules::release_section_unused::RULE, format!("the role is not for {known}"))
                    .at(codename.span, "this section is never used")
                    .help(format!("add \"{known}\" to `releases`, or remove the section")),
            );
        }
        differing.insert(known, resolved);
    }
    let codenames = facts.releases.iter().flatten();
    let codenames = codenames.filter(|c| own_releases.as_ref().is_none_or(|own| own.contains(*c)));
    let all = facts.releases.as_deref().unwrap_or_default();
    // The common part with what it needs on a release: mostly the same on all of them, and kept once then.
    let mut shared = vec![(Default::default(), Arc::new(common))];
    let mut common_checked = false;
    let mut contents = BTreeMap::new();
    for codename in codenames {
        let common = shared[0].1.clone();
        let merged = match differing.get(codename) {
            Some(part) => {
                let mut merged = content::merge(&common, part);
                monitoring::programs(&merged, codename, all, out).add(&mut merged);
                Arc::new(merged)
            }
            None => {
                let brought = monitoring::programs(&common, codename, all, out);
                match shared.iter().find(|(other, _)| *other == brought) {
                    Some((_, same)) => same.clone(),
                    None => {
                        let mut content = (*common).clone();
                        brought.add(&mut content);
                        shared.push((brought, Arc::new(content)));
                        shared[shared.len() - 1].1.clone()
                    }
                }
            }
        };
        if differing.contains_key(codename) || !std::mem::replace(&mut common_checked, true) {
            content::clashes(&merged, out);
        }
        contents.insert(codename.clone(), merged);
    }
    content::unused(&site, out);
    Some(Role {
        name: Spanned::new(role, ast.span),
        summary: summary.map(|text| text.value.clone()).unwrap_or_default(),
        description: description.map(|text| text.value.trim().to_owned()).unwrap_or_default(),
        includes,
        values,
        monitoring: monitoring::role(ast, facts, out),
        contents,
    })
}

/// A package's synopsis (Debian Policy 3.4.1).
pub fn synopsis(text: &Text, out: &mut Vec<Diagnostic>) -> bool {
    if !one_line(text, "a summary", out) {
        return false;
    }
    let value = text.value.as_str();
    let (problem, help) = if value.trim().is_empty() {
        ("is empty", "say in a few words what it is")
    } else if value.trim() != value {
        ("has blanks around it", "remove the blanks")
    } else if value.chars().count() > 80 {
        ("has more than 80 characters", "shorten it; `description` has room for more")
    } else if value.ends_with('.') && !value.ends_with("...") && !value.ends_with("etc.") {
        ("is not a sentence: it has no final full stop", "remove the full stop")
    } else {
        return true;
    };
    out.push(
        Diagnostic::new(
            &rules::invalid_summary::RULE,
            format!("a summary {problem}").replace("a summary is not", "a summary is not"),
        )
        .at(text.span, "")
        .help(help)
        .note("it is the package's synopsis: one line that lists of packages show (Debian Policy 3.4.1)"),
    );
    false
}

/// Names of roles that exist.
pub fn role_names(list: &Texts, facts: &Facts, out: &mut Vec<Diagnostic>) -> Vec<Spanned<RoleName>> {
    duplicates(list, "the role", out);
    let mut names: Vec<Spanned<RoleName>> = Vec::new();
    for item in &list.value {
        if facts.roles.contains(&item.value)
            && let Ok(name) = RoleName::parse(&item.value)
        {
            let name = Spanned::new(name, item.span);
            if !names.contains(&name) {
                names.push(name);
            }
            continue;
        }
        let short = facts.prefix.as_ref().and_then(|p| item.value.strip_prefix(&format!("{p}-role-")));
        let help = match (short, crate::near::nearest(&item.value, facts.roles.iter().map(String::as_str))) {
            (Some(short), _) if facts.roles.contains(short) => format!("write the role's name: \"{short}\""),
            (_, Some(near)) => format!("did you mean \"{near}\"?"),
            _ if RoleName::parse(&item.value).is_ok() => format!("add roles/{}.toml, or remove the entry", item.value),
            _ => "write the name of a file in roles/, without .toml".to_owned(),
        };
        out.push(
            Diagnostic::new(&rules::unknown_role::RULE, format!("there is no role \"{}\"", item.value.escape_debug()))
                .at(item.span, "")
                .help(help),
        );
    }
    names
}

/// One of the fleet's releases. Without valid ones in debrole.toml, no error: that is the mistake then.
pub fn release(text: &Text, facts: &Facts, out: &mut Vec<Diagnostic>) -> Option<Codename> {
    let releases = facts.releases.as_ref()?;
    if let Some(found) = releases.iter().find(|r| r.as_str() == text.value) {
        return Some(found.clone());
    }
    let names = releases.iter().map(Codename::as_str);
    let help = match crate::near::nearest(&text.value, names.clone()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!(
            "add [release.{}] to debrole.toml, or write one of {}",
            text.value.escape_debug(),
            names.collect::<Vec<_>>().join(", ")
        ),
    };
    out.push(
        Diagnostic::new(
            &rules::unknown_release::RULE,
            format!("\"{}\" is not one of the fleet's releases", text.value.escape_debug()),
        )
        .at(text.span, "")
        .help(help),
    );
    None
}
