//! Asking apt's own solver. Thousands of packages are cheap, because being installable together implies being
//! installable each: one run installs all that don't declare a conflict with each other; only when apt refuses is the
//! set split, and what is refused alone is an error.
//!
//! `apt-get -y --print-uris install` is the run: the same solver as an installation, without the simulation of dpkg
//! (`-s`), which takes eleven of twelve seconds for 2,000 roles and checks the order of unpacking only.

use super::lists::{self, Catalogue};
use super::relations::{self, Unsatisfiable, list};
use super::root::Root;
use super::{Target, Unavailable};
use crate::diagnostics::{Diagnostic, rules};
use crate::model::{Content, Model, SitePackage};
use crate::names::{Codename, PackageName};
use crate::plan::{DebContent, PackageKind, PackagePlan};
use crate::relation::{Possibility, Relation, RelationField};
use crate::scratch::Scratch;
use crate::source::Span;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The version that a generated package has while it has none: higher than any real one.
const VERSION: &str = "99999999.1";

/// The fields that the solver reads.
const FIELDS: [RelationField; 7] = [
    RelationField::PreDepends,
    RelationField::Depends,
    RelationField::Recommends,
    RelationField::Breaks,
    RelationField::Conflicts,
    RelationField::Replaces,
    RelationField::Provides,
];

/// How many names one command line takes: well below the kernel's 2 MB.
const NAMES_AT_ONCE: usize = 8000;

/// What the solver says of a set of packages.
#[derive(Debug, Clone)]
pub(super) enum Verdict {
    Installable,
    Refused(Refusal),
}

/// apt's explanation.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    /// Its lines, without those that are always the same.
    pub lines: Vec<String>,
    /// The packages that it names as having unmet dependencies.
    pub unmet: BTreeSet<String>,
}

/// Has the solver install packages from `indexes` (files named `Packages`) on top of the root's lists and status.
pub(super) fn solve(root: &Root, indexes: &[&Path], names: &[&str]) -> Result<Verdict, Unavailable> {
    let mut command = root.apt("apt-get").args(["-q", "-y", "-o", "Debug::NoLocking=true", "--print-uris"]);
    for index in indexes {
        command = command.arg("--with-source").arg(index);
    }
    let output = command.arg("install").args(names).run()?;
    let (stdout, stderr) = (output.stdout_text(), output.stderr_text());
    if output.success() {
        return Ok(Verdict::Installable);
    }
    let refusal = refusal(&stdout, &stderr);
    let solver_said_no =
        ["Unable to correct problems", "Unmet dependencies", "pkgProblemResolver", "no installation candidate"]
            .iter()
            .any(|phrase| stderr.contains(phrase))
            || !refusal.unmet.is_empty();
    if solver_said_no {
        return Ok(Verdict::Refused(refusal));
    }
    Err(Unavailable::new(format!("apt-get could not be asked: {}", stderr.trim())))
}

fn refusal(stdout: &str, stderr: &str) -> Refusal {
    let mut lines: Vec<String> = stdout
        .lines()
        .skip_while(|line| !line.starts_with("The following packages have unmet dependencies"))
        .skip(1)
        .take_while(|line| line.starts_with(' '))
        .map(|line| line.trim_end().to_owned())
        .collect();
    let unmet = lines
        .iter()
        .filter_map(|line| line.strip_prefix(' ')?.split_once(" : "))
        .filter(|(name, _)| !name.starts_with(' '))
        .map(|(name, _)| name.split(':').next().unwrap_or(name).to_owned())
        .collect();
    if lines.is_empty() {
        lines = stderr.lines().filter(|line| line.starts_with("E: ")).map(str::to_owned).collect();
    }
    Refusal { lines, unmet }
}

/// The members of a set that are refused alone, with apt's explanation, sorted.
pub(super) fn refused<'a>(
    root: &Root,
    indexes: &[&Path],
    set: &[&'a str],
) -> Result<BTreeMap<&'a str, Refusal>, Unavailable> {
    let mut found = BTreeMap::new();
    let mut todo: Vec<Vec<&str>> = set.chunks(NAMES_AT_ONCE).map(<[_]>::to_vec).collect();
    while let Some(set) = todo.pop() {
        let Verdict::Refused(refusal) = solve(root, indexes, &set)? else { continue };
        if let [one] = set[..] {
            found.insert(one, refusal);
            continue;
        }
        // What apt complains of apart from the rest, which then is most probably installable in one run.
        let (mut some, mut others): (Vec<_>, Vec<_>) = set.iter().partition(|name| refusal.unmet.contains(**name));
        if some.is_empty() || others.is_empty() {
            others = set;
            some = others.split_off(others.len() / 2);
        }
        todo.push(some);
        todo.push(others);
    }
    Ok(found)
}

/// Writes the status of a fresh machine: what debootstrap installs by default, solved by apt from nothing.
pub(super) fn write_base_status(root: &Root, release: &Codename) -> Result<(), Unavailable> {
    let mut texts = Vec::new();
    for path in root.lists()? {
        texts.push(fs::read(&path).map_err(|e| Unavailable::file("read", &path, &e))?);
    }
    let wanted: BTreeSet<&str> = texts
        .iter()
        .flat_map(|text| lists::stanzas(text))
        .filter(lists::Stanza::on_a_fresh_machine)
        .map(|stanza| stanza.package)
        .collect();
    root.write("status", "")?;
    if wanted.is_empty() {
        return Ok(());
    }
    let output = root
        .apt("apt-get")
        .args(["-qq", "-y", "-o", "Debug::NoLocking=true", "--no-install-recommends", "--print-uris", "install"])
        .args(&wanted)
        .run()?;
    if !output.success() {
        return Err(Unavailable::new(format!(
            "apt can't install the required packages of {release} from its package lists: {}",
            refusal(&output.stdout_text(), &output.stderr_text()).lines.join("\n").trim()
        ))
        .help("the mirror may be in the middle of an update: try again later"));
    }
    // Each line: 'URI' NAME_VERSION_ARCHITECTURE.deb SIZE HASH, with ":" in the version as "%3a".
    let installed: BTreeSet<(String, String)> = output
        .stdout_text()
        .lines()
        .filter_map(|line| line.split(' ').nth(1)?.strip_suffix(".deb"))
        .filter_map(|file| {
            let mut parts = file.split('_');
            Some((parts.next()?.to_owned(), parts.next()?.replace("%3a", ":")))
        })
        .collect();
    let mut status = String::new();
    let mut written = BTreeSet::new();
    for stanza in texts.iter().flat_map(|text| lists::stanzas(text)) {
        let identity = (stanza.package.to_owned(), stanza.version.to_owned());
        if installed.contains(&identity) && written.insert(identity) {
            status.push_str("Status: install ok installed\n");
            status.push_str(String::from_utf8_lossy(stanza.text).trim_end());
            status.push_str("\n\n");
        }
    }
    root.write("status", &status)
}

/// The control text of a .deb, for the solver; `None` if it can't be read (which building it reports).
fn control_text(package: &SitePackage) -> Option<String> {
    let mut deb = debpkg::DebPkg::parse(&package.bytes[..]).ok()?;
    let mut archive = deb.control().ok()?;
    for entry in archive.entries().ok()? {
        let mut entry = entry.ok()?;
        if entry.path().is_ok_and(|path| path.file_name().is_some_and(|name| name == "control")) {
            let mut text = String::new();
            entry.read_to_string(&mut text).ok()?;
            return Some(text.trim_end().to_owned());
        }
    }
    None
}

/// The fleet's packages as the solver sees them.
pub(super) struct Question<'a> {
    model: &'a Model,
    plans: &'a [PackagePlan],
    /// Control texts of packages/*.deb.
    site: Vec<String>,
}

impl<'a> Question<'a> {
    pub fn new(model: &'a Model, plans: &'a [PackagePlan]) -> Self {
        Question { model, plans, site: model.site_packages.par_iter().filter_map(control_text).collect() }
    }

    /// The plans of a target with what they are there, sorted by name.
    fn members(&self, target: &Target) -> BTreeMap<&'a str, (&'a PackagePlan, &'a DebContent)> {
        let mut members = BTreeMap::new();
        for plan in self.plans {
            for variant in plan.variants.iter().filter(|v| v.releases.contains(&target.release)) {
                members.insert(plan.name.as_str(), (plan, &*variant.deb));
            }
        }
        members
    }

    /// The names of the site's own packages that a target can install.
    pub fn site_names(&self, target: &Target) -> Catalogue {
        let mut catalogue = Catalogue::default();
        for text in self.site_of(target) {
            catalogue.add(text.as_bytes());
        }
        catalogue
    }

    fn site_of(&self, target: &Target) -> impl Iterator<Item = &str> {
        let architecture = format!("Architecture: {}", target.architecture);
        self.site
            .iter()
            .map(String::as_str)
            .filter(move |text| text.lines().any(|line| line == "Architecture: all" || line == architecture))
    }

    /// All of a target as a `Packages` text, without the relations in `omitted`.
    pub fn index(&self, target: &Target, omitted: &BTreeSet<(&PackageName, &Relation)>) -> String {
        let mut text = String::new();
        for (name, (plan, deb)) in self.members(target) {
            let keep = |_: RelationField, relation: &Relation| !omitted.contains(&(&plan.name, relation));
            stanza(&mut text, name, plan.kind, &deb.relations, keep);
        }
        for (i, site) in self.site_of(target).enumerate() {
            text.push_str(&format!("{site}\nFilename: ./site{i}.deb\nSize: 1\n\n"));
        }
        text
    }

    /// Every relation of the tree, also those that the solver does not read (Suggests).
    pub fn relations_text(&self) -> String {
        let mut text = String::new();
        for plan in self.plans {
            for variant in &plan.variants {
                text.push_str(&format!("{} {:?} {:?}\n", plan.name, variant.releases, variant.deb.relations));
            }
        }
        text
    }

    /// What the user wrote that makes a package depend on others, with its place: a role's or host's relations and
    /// the roles that it names.
    fn written(&self, name: &str, release: &Codename) -> Vec<(Relation, Span)> {
        let prefix = &self.model.fleet.prefix;
        let mut written: Vec<(Relation, Span)> = Vec::new();
        let mut add = |content: &Content| {
            for field in FIELDS {
                let relations = content.relations.get(&field).into_iter().flatten();
                written.extend(relations.map(|relation| (relation.value.clone(), relation.span)));
            }
        };
        let roles = if let Some((_, role)) =
            self.model.roles.iter().find(|(r, _)| prefix.role_package(r).as_str() == name)
        {
            role.contents.get(release).into_iter().for_each(|content| add(content));
            &role.includes
        } else if let Some((_, host)) = self.model.hosts.iter().find(|(h, _)| prefix.host_package(h).as_str() == name) {
            add(&host.content);
            &host.roles
        } else {
            return written;
        };
        written.extend(roles.iter().map(|role| (Relation::on(prefix.role_package(&role.value)), role.span)));
        written
    }
}

/// Appends a stanza of what the solver reads.
fn stanza(
    text: &mut String,
    name: &str,
    kind: PackageKind,
    relations: &BTreeMap<RelationField, Vec<Relation>>,
    keep: impl Fn(RelationField, &Relation) -> bool,
) {
    text.push_str(&format!("Package: {name}\nVersion: {VERSION}\nArchitecture: all\nMaintainer: debrole\n"));
    for field in FIELDS {
        let provided = relations.get(&RelationField::Provides);
        let kept: Vec<String> = relations
            .get(&field)
            .into_iter()
            .flatten()
            .filter(|relation| keep(field, relation))
            // Host packages exclude each other by conflicting with a name that all of them provide (Debian Policy
            // 7.6.2). Here they are installed together all the same: each is meant for a machine of its own, and
            // that they exclude each other says nothing about whether one can be installed.
            .filter(|relation| {
                !(kind == PackageKind::Host
                    && field == RelationField::Conflicts
                    && provided.is_some_and(|provided| provided.contains(relation)))
            })
            .map(Relation::to_string)
            .collect();
        if !kept.is_empty() {
            text.push_str(&format!("{}: {}\n", field.control_name(), kept.join(", ")));
        }
    }
    text.push_str(&format!("Description: {name}\nFilename: ./{name}.deb\nSize: 1\n\n"));
}

/// What a package says of others, as far as it decides which can be installed together.
#[derive(Debug, Clone, Default)]
pub(super) struct Stance<'a> {
    pub provides: Vec<&'a str>,
    /// Names in Conflicts and Breaks, whatever the version.
    pub against: Vec<&'a str>,
}

impl<'a> Stance<'a> {
    fn of(plan: &PackagePlan, deb: &'a DebContent) -> Self {
        let names = |field| {
            deb.relations.get(&field).into_iter().flatten().flat_map(|r| &r.0).map(|p: &'a Possibility| p.name.as_str())
        };
        Stance {
            provides: names(RelationField::Provides).collect(),
            against: match plan.kind {
                PackageKind::Host => Vec::new(),
                _ => names(RelationField::Conflicts).chain(names(RelationField::Breaks)).collect(),
            },
        }
    }
}

/// Sets of packages without a declared conflict inside, so that each can be put to the solver whole.
pub(super) fn without_conflicts<'a>(members: &BTreeMap<&'a str, Stance<'a>>) -> Vec<Vec<&'a str>> {
    let mut providers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (&name, stance) in members {
        providers.entry(name).or_default().insert(name);
        for provided in &stance.provides {
            providers.entry(provided).or_default().insert(name);
        }
    }
    let mut conflicts: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (&name, stance) in members {
        let others = stance.against.iter().filter_map(|against| providers.get(against)).flatten();
        for &other in others.filter(|other| **other != name) {
            conflicts.entry(name).or_default().insert(other);
            conflicts.entry(other).or_default().insert(name);
        }
    }
    let mut sets: Vec<(Vec<&str>, BTreeSet<&str>)> = vec![Default::default()];
    for &name in members.keys() {
        let fits = sets.iter().position(|(_, excluded)| !excluded.contains(name)).unwrap_or_else(|| {
            sets.push(Default::default());
            sets.len() - 1
        });
        sets[fits].0.push(name);
        sets[fits].1.extend(conflicts.get(name).into_iter().flatten());
    }
    sets.into_iter().map(|(set, _)| set).filter(|set| !set.is_empty()).collect()
}

/// One package that can't be installed in one target.
struct Failure<'a> {
    name: &'a str,
    plan: &'a PackagePlan,
    release: String,
    /// The places without any one of which it would be installable; may be empty.
    causes: Vec<(Span, String)>,
    refusal: Refusal,
    /// Other packages that fail because they contain it.
    carried: BTreeSet<&'a str>,
}

/// Has the solver install every package of every target.
pub(super) fn check(
    question: &Question<'_>,
    targets: &[Target],
    unsatisfiable: &Unsatisfiable,
) -> Result<Vec<Diagnostic>, Unavailable> {
    let failures: Vec<Vec<Failure<'_>>> = targets
        .par_iter()
        .enumerate()
        .map(|(i, target)| check_target(question, target, &relations::omitted(unsatisfiable, i)))
        .collect::<Result<_, _>>()?;
    // The same cause in several releases is one error.
    let mut merged: Vec<(Failure<'_>, Vec<String>)> = Vec::new();
    for failure in failures.into_iter().flatten() {
        let same = |other: &Failure<'_>| other.name == failure.name && other.causes == failure.causes;
        match merged.iter_mut().find(|(other, _)| same(other)) {
            Some((known, releases)) => {
                known.carried.extend(failure.carried);
                releases.push(failure.release);
            }
            None => {
                let release = failure.release.clone();
                merged.push((failure, vec![release]));
            }
        }
    }
    Ok(merged.into_iter().map(|(failure, releases)| report(question.model, failure, &releases)).collect())
}

fn check_target<'a>(
    question: &Question<'a>,
    target: &Target,
    omitted: &BTreeSet<(&PackageName, &Relation)>,
) -> Result<Vec<Failure<'a>>, Unavailable> {
    let members = question.members(target);
    let index = Index::write(&question.index(target, omitted))?;
    let mut refused_all: BTreeMap<&str, Refusal> = BTreeMap::new();
    let stances = members.iter().map(|(&name, (plan, deb))| (name, Stance::of(plan, deb))).collect();
    for set in without_conflicts(&stances) {
        refused_all.extend(refused(&target.root, &[index.path()], &set)?);
    }
    // What contains a refused package fails with it: reported there.
    let contains = |name: &str| -> BTreeSet<&'a str> {
        let (mut inside, mut todo) = (BTreeSet::new(), vec![name]);
        while let Some(name) = todo.pop() {
            let relations = members.get(name).map(|(_, deb)| &deb.relations);
            let needed = [RelationField::PreDepends, RelationField::Depends]
                .iter()
                .filter_map(|field| relations?.get(field))
                .flatten()
                .filter(|relation| relation.0.len() == 1);
            for relation in needed {
                if let Some((&inner, _)) = members.get_key_value(relation.0[0].name.as_str())
                    && inside.insert(inner)
                {
                    todo.push(inner);
                }
            }
        }
        inside
    };
    let inside: BTreeMap<&str, BTreeSet<&str>> = refused_all.keys().map(|&name| (name, contains(name))).collect();
    let roots = refused_all.keys().filter(|name| !inside[*name].iter().any(|inner| refused_all.contains_key(inner)));
    let roots: Vec<&str> = roots.copied().collect();
    let release = match question.model.fleet.architectures.len() {
        1 => target.release.to_string(),
        _ => format!("{} on {}", target.release, target.architecture),
    };
    roots
        .par_iter()
        .map(|&name| {
            let (plan, deb) = members[name];
            Ok(Failure {
                name,
                plan,
                release: release.clone(),
                causes: causes(question, target, plan, deb, omitted, index.path())?,
                refusal: refused_all[name].clone(),
                carried: inside.iter().filter(|(_, inner)| inner.contains(name)).map(|(outer, _)| *outer).collect(),
            })
        })
        .collect()
}

/// Which of a package's relations, left out alone, make it installable: apt's own explanation names the symptom,
/// often several packages away.
fn causes(
    question: &Question<'_>,
    target: &Target,
    plan: &PackagePlan,
    deb: &DebContent,
    omitted: &BTreeSet<(&PackageName, &Relation)>,
    index: &Path,
) -> Result<Vec<(Span, String)>, Unavailable> {
    let written: Vec<(Relation, Span)> = question
        .written(plan.name.as_str(), &target.release)
        .into_iter()
        .filter(|(relation, _)| !omitted.contains(&(&plan.name, relation)))
        .collect();
    // For each of them a probe: the package without it, under another name.
    let mut text = String::new();
    for (i, (left_out, _)) in written.iter().enumerate() {
        let keep = |_, relation: &Relation| relation != left_out && !omitted.contains(&(&plan.name, relation));
        stanza(&mut text, &format!("debrole-probe-{i}"), plan.kind, &deb.relations, keep);
    }
    let probes = Index::write(&text)?;
    let verdicts: Vec<Verdict> = (0..written.len())
        .into_par_iter()
        .map(|i| solve(&target.root, &[index, probes.path()], &[&format!("debrole-probe-{i}")]))
        .collect::<Result<_, _>>()?;
    let cured = written.into_iter().zip(verdicts).filter(|(_, verdict)| matches!(verdict, Verdict::Installable));
    Ok(cured.map(|((relation, span), _)| (span, relation.to_string())).collect())
}

fn report(model: &Model, failure: Failure<'_>, releases: &[String]) -> Diagnostic {
    let mut diagnostic = Diagnostic::new(
        &rules::uninstallable::RULE,
        format!("{} can't be installed on {}: apt finds no solution", failure.name, list(releases, "and")),
    );
    let whole = failure.plan.span.unwrap_or(model.fleet.span);
    match failure.causes.as_slice() {
        [] => diagnostic = diagnostic.at(whole, ""),
        [(span, text)] => diagnostic = diagnostic.at(*span, format!("without {text} it could be installed")),
        [(span, text), others @ ..] => {
            diagnostic = diagnostic.at(*span, format!("{text} can't be installed together with what else is marked"));
            for (span, text) in others {
                diagnostic = diagnostic.also(*span, format!("without {text} it could be installed"));
            }
        }
    }
    diagnostic = diagnostic.note(format!("apt says:\n{}", failure.refusal.lines.join("\n")));
    if !failure.carried.is_empty() {
        let carried: Vec<&str> = failure.carried.iter().copied().collect();
        diagnostic = diagnostic.note(format!("what contains it can't be installed either: {}", list(&carried, "and")));
    }
    diagnostic
}

/// A `Packages` file of its own for one run: the name is what tells apt's `--with-source` what it is.
pub(super) struct Index {
    _directory: Scratch,
    path: PathBuf,
}

impl Index {
    pub fn write(text: &str) -> Result<Self, Unavailable> {
        let temporary = std::env::temp_dir();
        let write = || {
            let directory = Scratch::new()?;
            let path = directory.path().join("Packages");
            fs::write(&path, text)?;
            std::io::Result::Ok(Index { _directory: directory, path })
        };
        write().map_err(|e| Unavailable::file("write to", &temporary, &e))
    }
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_apt_says_is_read() {
        let stdout = "Building dependency tree...\nThe following packages have unmet dependencies:\n \
            pg-role-bad : Depends: exim4 but it is not going to be installed\n               \
            Depends: x : y but it is not installable or\n                        \
            z but it is not installable\n pg-role-two:amd64 : Conflicts: a\nmore\n";
        let refusal = refusal(stdout, "E: Unable to correct problems, you have held broken packages.\n");
        assert_eq!(refusal.unmet.iter().collect::<Vec<_>>(), ["pg-role-bad", "pg-role-two"]);
        assert_eq!(refusal.lines.len(), 4);
    }

    #[test]
    fn sets_hold_no_declared_conflict() {
        let stance = |provides: &[&'static str], against: &[&'static str]| Stance {
            provides: provides.to_vec(),
            against: against.to_vec(),
        };
        let members = BTreeMap::from([
            ("a", stance(&[], &["c"])),
            ("b", stance(&["mta"], &["mta"])),
            ("c", stance(&[], &[])),
            ("d", stance(&["mta"], &[])),
            ("e", stance(&[], &["nginx"])),
        ]);
        assert_eq!(without_conflicts(&members), [vec!["a", "b", "e"], vec!["c", "d"]]);
    }

    #[test]
    fn hosts_are_put_to_the_solver_together() {
        let on = |name: &str| Relation::on(PackageName::parse(name).unwrap());
        let relations = BTreeMap::from([
            (RelationField::Depends, vec![on("pg-role-web"), on("nginx")]),
            (RelationField::Conflicts, vec![on("pg-host"), on("apache2")]),
            (RelationField::Provides, vec![on("pg-host")]),
            (RelationField::Suggests, vec![on("doc")]),
        ]);
        let mut text = String::new();
        let nginx = on("nginx");
        stanza(&mut text, "pg-host-a", PackageKind::Host, &relations, |_, r| *r != nginx);
        assert_eq!(
            text,
            "Package: pg-host-a\nVersion: 99999999.1\nArchitecture: all\nMaintainer: debrole\nDepends: pg-role-web\n\
             Conflicts: apache2\nProvides: pg-host\nDescription: pg-host-a\nFilename: ./pg-host-a.deb\nSize: 1\n\n"
        );
    }
}
