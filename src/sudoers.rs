//! The rules of sudo, put together as a machine has them and shown to visudo(8): a file can be right by itself and
//! wrong with the others (an alias that two define).

use crate::diagnostics::{Diagnostic, rules};
use crate::exec::{self, ExecError};
use crate::names::{Codename, PackageName};
use crate::plan::{Entry, PackageKind, PackagePlan};
use crate::scratch::Scratch;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// /etc/sudoers of Debian's package, without its comments.
const DEBIAN: &str = "\
Defaults env_reset
Defaults mail_badpass
root ALL=(ALL:ALL) ALL
%sudo ALL=(ALL:ALL) ALL
";

/// Where a package's payload has them.
const FOLDER: &str = "/files/etc/sudoers.d/";

/// A package's files, by name.
type Files<'p> = BTreeMap<&'p str, &'p [u8]>;

/// Asks visudo. Errors of the tree are diagnostics; that it can't be asked is the error.
pub fn check(plans: &[PackagePlan]) -> Result<Vec<Diagnostic>, ExecError> {
    let releases: BTreeSet<&Codename> =
        plans.iter().flat_map(|plan| plan.variants.iter().flat_map(|variant| &variant.releases)).collect();
    let mut wrong = Vec::new();
    for release in releases {
        let with: BTreeMap<&PackageName, Files<'_>> =
            plans.iter().filter_map(|plan| Some((&plan.name, files(plan, release)?))).collect();
        if with.is_empty() {
            continue;
        }
        // What is right all together is right in every part. Otherwise part by part: what never meets may clash.
        let all: BTreeSet<&PackageName> = with.keys().copied().collect();
        if ask(&all, &with)?.is_none() {
            continue;
        }
        let mut asked: BTreeSet<BTreeSet<&PackageName>> = BTreeSet::new();
        let places = plans.iter().filter(|plan| matches!(plan.kind, PackageKind::Role | PackageKind::Host));
        for plan in places.filter(|plan| plan.variants.iter().any(|v| v.releases.contains(release))) {
            let set: BTreeSet<&PackageName> =
                closure(plans, plan, release).into_iter().filter(|name| with.contains_key(name)).collect();
            if set.is_empty() || !asked.insert(set.clone()) {
                continue;
            }
            let Some(said) = ask(&set, &with)? else { continue };
            let names: Vec<&str> = set.iter().map(|name| name.as_str()).collect();
            let diagnostic = Diagnostic::new(
                &rules::sudoers_refused::RULE,
                format!("visudo refuses the rules of {} on {release}", names.join(" with ")),
            )
            .help("mend what it says; in the meantime nobody could use sudo")
            .note(said);
            let guilty = plans.iter().find(|plan| set.contains(&plan.name) && plan.span.is_some());
            wrong.push(match guilty.and_then(|plan| plan.span) {
                Some(span) => diagnostic.at(span, ""),
                None => diagnostic,
            });
        }
    }
    Ok(wrong)
}

fn files<'p>(plan: &'p PackagePlan, release: &Codename) -> Option<Files<'p>> {
    let variant = plan.variants.iter().find(|variant| variant.releases.contains(release))?;
    let files: Files<'p> = variant
        .deb
        .entries
        .iter()
        .filter_map(|(path, entry)| match entry {
            Entry::File { bytes, .. } => Some((path.as_str().split_once(FOLDER)?.1, &bytes[..])),
            _ => None,
        })
        .collect();
    (!files.is_empty()).then_some(files)
}

/// The package and those of the tree that it brings.
fn closure<'p>(plans: &'p [PackagePlan], start: &'p PackagePlan, release: &Codename) -> BTreeSet<&'p PackageName> {
    let mut seen = BTreeSet::new();
    let mut todo = vec![start];
    while let Some(plan) = todo.pop() {
        if !seen.insert(&plan.name) {
            continue;
        }
        let Some(variant) = plan.variants.iter().find(|variant| variant.releases.contains(release)) else { continue };
        for one in variant.deb.relations.values().flatten().flat_map(|relation| &relation.0) {
            if let Ok(at) = plans.binary_search_by(|plan| plan.name.cmp(&one.name)) {
                todo.push(&plans[at]);
            }
        }
    }
    seen
}

/// What visudo says against these packages' rules together; None: nothing.
fn ask(set: &BTreeSet<&PackageName>, with: &BTreeMap<&PackageName, Files<'_>>) -> Result<Option<String>, ExecError> {
    let failed = |source: io::Error| ExecError::Io { program: "visudo".into(), source };
    let directory = Scratch::new().map_err(failed)?;
    let folder = directory.path().join("sudoers.d");
    std::fs::create_dir(&folder).map_err(failed)?;
    for name in set {
        for (file, bytes) in with.get(name).into_iter().flatten() {
            // Two packages with one path never meet; the name only has to be one that sudo reads.
            let own = format!("{}.{name}", file).replace('.', "_");
            std::fs::write(folder.join(own), bytes).map_err(failed)?;
        }
    }
    let main = directory.path().join("sudoers");
    std::fs::write(&main, format!("{DEBIAN}@includedir {}\n", folder.display())).map_err(failed)?;
    let output = exec::Command::new("visudo").arg("-c").arg("-f").arg(&main).run()?;
    if output.success() {
        return Ok(None);
    }
    let said = format!("{}{}", output.stderr_text(), output.stdout_text());
    let said = said.replace(&format!("{}/", directory.path().display()), "");
    let lines: Vec<&str> =
        said.lines().filter(|line| !line.ends_with("parsed OK") && !line.trim().is_empty()).collect();
    Ok(Some(lines.join("\n")))
}
