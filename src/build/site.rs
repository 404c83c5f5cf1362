//! The site's own packages (`packages/*.deb`): read, checked, published as they are. They come from anywhere, so
//! nothing in them is believed before it is checked.

use super::change::{Change, What};
use super::{Draft, version};
use crate::deb::read::{Contents, Found, read};
use crate::deb::sha256;
use crate::diagnostics::{Diagnostic, rules};
use crate::model::{Model, SitePackage};
use crate::names::{Architecture, MachinePath, PackageName};
use crate::plan::{ClaimKind, PackageKind, PackagePlan};
use crate::relation::check_version;
use crate::repo::manifest::{Manifest, PackageRecord};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A package of packages/ with its record.
#[derive(Debug)]
pub struct Published {
    pub record: PackageRecord,
    pub bytes: Arc<[u8]>,
}

/// Fields that belong to the index, not to a package: in a control file they would be read as ours.
const INDEX_FIELDS: &[&str] = &["Filename", "Size", "MD5sum", "SHA1", "SHA256", "SHA512", "Description-md5"];

/// All site packages with their records; everything that is wrong with any of them goes to `diagnostics`.
pub fn publish(
    model: &Model,
    plans: &[PackagePlan],
    previous: Option<&Manifest>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Published> {
    if model.site_packages.is_empty() {
        return Vec::new();
    }
    let read: Vec<Result<Published, Diagnostic>> =
        model.site_packages.par_iter().map(|package| record(model, package)).collect();
    let mut in_place: BTreeMap<MachinePath, &PackagePlan> = BTreeMap::new();
    for plan in plans {
        for claim in plan.claims.iter().filter(|claim| claim.kind == ClaimKind::InPlace) {
            in_place.insert(claim.path.canonical(), plan);
        }
    }
    let generated: BTreeSet<&PackageName> = plans
        .iter()
        .map(|plan| &plan.name)
        .chain(
            previous
                .iter()
                .flat_map(|manifest| &manifest.packages)
                .filter(|record| record.kind != PackageKind::Site)
                .map(|record| &record.name),
        )
        .collect();
    let prefix = model.fleet.prefix.as_str();
    let reserved = |name: &str| {
        name.strip_prefix(prefix).is_some_and(|rest| {
            rest.starts_with("-role-") || rest.starts_with("-host-") || rest == "-runtime" || rest == "-archive-keyring"
        })
    };

    // The highest version of each name that there is.
    let mut highest: BTreeMap<PackageName, String> = BTreeMap::new();
    for found in read.iter().flatten() {
        let version = &found.record.version;
        let known = highest.entry(found.record.name.clone()).or_insert_with(|| version.clone());
        if version::compare(known, version).is_some_and(|order| order.is_lt()) {
            known.clone_from(version);
        }
    }

    let mut published: Vec<Published> = Vec::new();
    let mut seen: BTreeMap<(PackageName, String, String), &SitePackage> = BTreeMap::new();
    for (package, result) in model.site_packages.iter().zip(read) {
        let found = match result {
            Ok(found) => found,
            Err(diagnostic) => {
                diagnostics.push(diagnostic);
                continue;
            }
        };
        let record = &found.record;
        let mut wrong = Vec::new();
        if generated.contains(&record.name) || reserved(record.name.as_str()) {
            wrong.push(
                Diagnostic::new(
                    &rules::site_package_name_taken::RULE,
                    format!("the name {} belongs to a package that debrole makes", record.name),
                )
                .help("build the package under another name, or remove it from packages/"),
            );
        }
        if record.architecture != "all"
            && !model.fleet.architectures.iter().any(|known| known.as_str() == record.architecture)
        {
            let known: Vec<&str> = model.fleet.architectures.iter().map(Architecture::as_str).collect();
            wrong.push(
                Diagnostic::new(
                    &rules::site_package_architecture::RULE,
                    format!(
                        "{} {} is for {}, which the fleet does not have: its architectures are {}",
                        record.name,
                        record.version,
                        record.architecture,
                        known.join(", ")
                    ),
                )
                .help(format!(
                    "add \"{}\" to `architectures` in debrole.toml, or remove the package",
                    record.architecture
                )),
            );
        }
        let key = (record.name.clone(), record.version.clone(), record.architecture.clone());
        if let Some(first) = seen.insert(key, package) {
            wrong.push(
                Diagnostic::new(
                    &rules::site_package_twice::RULE,
                    format!(
                        "{} {} ({}) is in packages/ twice; the other is {}",
                        record.name,
                        record.version,
                        record.architecture,
                        first.path.display()
                    ),
                )
                .help("remove one of the two"),
            );
        }
        let earlier = previous.iter().flat_map(|manifest| &manifest.packages).find(|old| {
            (&old.name, &old.version, &old.architecture) == (&record.name, &record.version, &record.architecture)
        });
        let retained = previous.iter().flat_map(|manifest| &manifest.retained).find(|old| old.path == record.filename);
        let hash = earlier.map(|old| &old.sha256).or(retained.map(|old| &old.sha256));
        if hash.is_some_and(|hash| *hash != record.sha256) {
            wrong.push(
                Diagnostic::new(
                    &rules::site_package_changed::RULE,
                    format!(
                        "{} {} ({}) was published with other content",
                        record.name, record.version, record.architecture
                    ),
                )
                .help("build it again under a higher version")
                .note(format!("published: SHA-256 {}", hash.map_or("", String::as_str)))
                .note(format!("this file: SHA-256 {}", record.sha256)),
            );
        }
        if let Some(known) = overtaken(previous, &record.name, highest.get(&record.name)) {
            wrong.push(
                Diagnostic::new(
                    &rules::site_package_older::RULE,
                    format!(
                        "{} {} is older than {known}, which was published: apt does not downgrade",
                        record.name, record.version
                    ),
                )
                .help(format!("build it again under a higher version, such as {known}+really{}", record.version))
                .help(format!("or keep {} {known} in packages/ beside it", record.name)),
            );
        }
        if let Some(other) = published.iter().find(|other| {
            other.record.filename == record.filename
                && (&other.record.version, &other.record.architecture) != (&record.version, &record.architecture)
        }) {
            wrong.push(
                Diagnostic::new(
                    &rules::site_package_twice::RULE,
                    format!(
                        "{} {} and {} would have the same file in the pool, {}",
                        record.name, other.record.version, record.version, record.filename
                    ),
                )
                .help("remove one of the two")
                .note("a pool file's name carries neither \"+\" nor \":\": both are written as \".\""),
            );
        }
        for path in &record.in_place {
            if let Some(plan) = in_place.get(path.as_str()) {
                wrong.push(
                    Diagnostic::new(
                        &rules::site_package_path_taken::RULE,
                        format!("{} ships {path}, and so does {}", record.name, plan.name),
                    )
                    .help("take the file out of one of them: dpkg refuses to unpack the second"),
                );
            }
        }
        if wrong.is_empty() {
            published.push(found);
        }
        diagnostics.extend(wrong.into_iter().map(|diagnostic| diagnostic.in_file(&package.path)));
    }
    published
}

/// The version that was published under the name, if the highest that there is now is lower.
fn overtaken<'m>(previous: Option<&'m Manifest>, name: &PackageName, now: Option<&String>) -> Option<&'m String> {
    let known = previous?.highest.get(name)?;
    version::compare(now?, known)?.is_lt().then_some(known)
}

/// Reads one package and makes its record.
fn record(model: &Model, package: &SitePackage) -> Result<Published, Diagnostic> {
    let broken = |why: String| {
        Diagnostic::new(
            &rules::site_package_broken::RULE,
            format!("{} is not a package that can be published: {why}", package.path.display()),
        )
        .in_file(&package.path)
        .help("build or fetch the package again; `dpkg-deb --info FILE` shows what dpkg makes of it")
    };
    let contents = read(&package.bytes, |_| false).map_err(broken)?;
    let (name, version, architecture) = identity(&contents).map_err(broken)?;
    let stem = package.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("");
    // dpkg-name(1): name_version_architecture, the version without its epoch.
    if let [file_name, _, file_architecture] = stem.split('_').collect::<Vec<_>>()[..]
        && (file_name != name.as_str() || file_architecture != architecture)
    {
        return Err(Diagnostic::new(
            &rules::site_package_misnamed::RULE,
            format!("{} holds the package {name} ({architecture})", package.path.display()),
        )
        .in_file(&package.path)
        .help("rename it with dpkg-name(1), if it is the package that you mean"));
    }
    let mut in_place: Vec<String> = contents
        .entries
        .iter()
        .filter(|(path, found)| !matches!(found, Found::Directory { .. }) && !path.starts_with("/usr/share/doc/"))
        .map(|(path, _)| MachinePath::parse(path).map_or(path.clone(), |path| path.canonical().to_string()))
        .collect();
    in_place.sort();
    let hash = sha256(&package.bytes);
    let record = PackageRecord {
        filename: super::pool_file(PackageKind::Site, &name, &version, &architecture),
        name,
        version,
        architecture,
        kind: PackageKind::Site,
        releases: model.fleet.releases.iter().map(|release| release.codename.value.clone()).collect(),
        size: package.bytes.len() as u64,
        content: hash.clone(),
        sha256: hash,
        control: contents.control,
        in_place,
    };
    Ok(Published { record, bytes: package.bytes.clone() })
}

/// What the control file says that the package is.
fn identity(contents: &Contents) -> Result<(PackageName, String, String), String> {
    let get = |field: &str| match contents.stanza.get(field) {
        Some("") | None => Err(format!("its control file has no {field}")),
        Some(value) if value.contains('\n') => Err(format!("the {field} of its control file has several lines")),
        Some(value) => Ok(value.to_string()),
    };
    let name = PackageName::parse(&get("Package")?)?;
    let version = get("Version")?;
    check_version(&version).map_err(|(_, why)| format!("its version is {version:?}: {why}"))?;
    if version.len() > 200 {
        return Err("its version has more than 200 characters".into());
    }
    let architecture = get("Architecture")?;
    if architecture != "all" {
        Architecture::parse(&architecture)?;
    }
    get("Maintainer")?;
    if contents.stanza.get("Description").is_none_or(str::is_empty) {
        return Err("its control file has no Description".into());
    }
    if let Some(field) = INDEX_FIELDS.iter().find(|field| contents.stanza.get(field).is_some()) {
        return Err(format!("its control file has the field {field}, which belongs to a repository's index"));
    }
    Ok((name, version, architecture))
}

/// The site's packages: what came, went and stays, by name.
pub(super) fn settle(previous: Option<&Manifest>, site: Vec<Published>, draft: &mut Draft) {
    let mut before: BTreeMap<&PackageName, Vec<&PackageRecord>> = BTreeMap::new();
    for record in previous.iter().flat_map(|manifest| &manifest.packages) {
        if record.kind == PackageKind::Site {
            before.entry(&record.name).or_default().push(record);
        }
    }
    let mut after: BTreeMap<&PackageName, Vec<&PackageRecord>> = BTreeMap::new();
    for new in &site {
        after.entry(&new.record.name).or_default().push(&new.record);
    }
    let names: BTreeSet<&PackageName> = before.keys().chain(after.keys()).copied().collect();
    for name in names {
        let (old, new) = (before.get(name), after.get(name));
        let full = |records: &[&PackageRecord]| {
            let mut versions: Vec<&str> = records.iter().map(|record| record.version.as_str()).collect();
            versions.sort_by(|a, b| version::compare(a, b).unwrap_or_else(|| a.cmp(b)));
            versions.last().map_or_else(String::new, |version| version.to_string())
        };
        let same = |old: &[&PackageRecord], new: &[&PackageRecord]| {
            old.len() == new.len() && new.iter().all(|record| old.contains(record))
        };
        let what = match (old, new) {
            (Some(old), Some(new)) if same(old, new) => What::Unchanged { version: full(new) },
            (Some(old), Some(new)) => What::Changed { from: full(old), version: full(new) },
            (None, Some(new)) => What::Added { version: full(new) },
            (Some(old), None) => What::Left { version: full(old) },
            (None, None) => continue,
        };
        draft.changes.push(Change { name: name.clone(), kind: PackageKind::Site, what, details: Vec::new() });
    }
    for new in site {
        let published = before.get(&new.record.name).into_iter().flatten();
        match published.into_iter().any(|old| old.filename == new.record.filename && old.sha256 == new.record.sha256) {
            true => draft.kept.push(new.record),
            false => draft.site.push(new),
        }
    }
}
