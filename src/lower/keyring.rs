//! `<prefix>-archive-keyring`: the archive's key, where its packages come from, and what they may replace. All a
//! machine needs to join; it depends on nothing.
//!
//! apt reads its sources and preferences from /etc/apt. As plain files there they would be conffiles, or be lost to
//! an edit; as symlinks into /usr/share dpkg replaces them without a question (it never asks about a symlink) and
//! removal takes them away. apt reads through symlinks (tests/it/lower.rs has the real one do it).

use crate::deb;
use crate::diagnostics::{Diagnostic, rules};
use crate::model::{Model, Release};
use crate::names::{MachinePath, PackageName};
use crate::plan::{Claim, ClaimKind, DebContent, Entry, PackageKind, PackagePlan};
use std::collections::{BTreeMap, BTreeSet};

use super::Keyring;
use super::role::Variants;

/// The plan of the keyring package: a variant for each release, because the sources name it.
pub fn lower(model: &Model, keyring: &Keyring) -> PackagePlan {
    let names = site_names(model);
    let mut variants = Variants::default();
    for release in &model.fleet.releases {
        let deb = content(model, keyring, release, &names);
        let claims = deb.entries.keys().map(|path| Claim {
            path: path.canonical(),
            kind: ClaimKind::InPlace,
            releases: vec![release.codename.value.clone()],
            span: model.fleet.span,
        });
        let claims = claims.collect();
        variants.add(&release.codename, deb, claims);
    }
    variants.into_plan(model.fleet.prefix.keyring_package(), PackageKind::Keyring, None)
}

fn content(model: &Model, keyring: &Keyring, release: &Release, site: &BTreeSet<PackageName>) -> DebContent {
    let fleet = &model.fleet;
    let prefix = &fleet.prefix;
    let package = prefix.keyring_package();
    let key = format!("/usr/share/keyrings/{package}.gpg");
    let sources = format!("/usr/share/{prefix}/{prefix}.sources");
    let preferences = format!("/usr/share/{prefix}/{prefix}.pref");
    let file = |bytes: Vec<u8>| Entry::File { mode: 0o644, bytes: bytes.into() };
    let link = |target: &str| Entry::Symlink { target: target.to_owned() };
    let entries = [
        (key.clone(), file(keyring.binary.clone())),
        (sources.clone(), file(self::sources(model, release, &key).into_bytes())),
        (preferences.clone(), file(self::preferences(model, site).into_bytes())),
        (format!("/etc/apt/sources.list.d/{prefix}.sources"), link(&sources)),
        (format!("/etc/apt/preferences.d/{prefix}.pref"), link(&preferences)),
        (format!("/usr/share/lintian/overrides/{package}"), file(overrides(&package).into_bytes())),
    ];
    DebContent {
        summary: format!("archive key and package source of {}", fleet.label),
        description: format!(
            "This package lets apt fetch packages from {uri}: it holds the key that the archive is signed with, the \
             source for Debian {codename}, and the preferences that keep the archive from replacing packages of \
             Debian.\n\nInstalling it joins a machine to {label}; the roles ({prefix}-role-*) are installed \
             afterwards. Removing it takes the source, the preferences and the key away again.",
            uri = fleet.uri.value,
            codename = release.codename.value,
            label = fleet.label,
        ),
        homepage: fleet.homepage.clone(),
        relations: BTreeMap::new(),
        fields: &[("Multi-Arch", "foreign")],
        entries: entries
            .into_iter()
            .map(|(path, entry)| (MachinePath::parse(&path).expect("a prefix makes valid paths"), entry))
            .collect(),
        scripts: BTreeMap::new(),
    }
}

/// The deb822 source (sources.list(5)). It names the architecture only where the fleet has one: then a machine with
/// a foreign architecture enabled is not told that the archive lacks it. With more, each machine asks for its own.
fn sources(model: &Model, release: &Release, key: &str) -> String {
    let fleet = &model.fleet;
    let mut text =
        format!("Types: deb\nURIs: {}\nSuites: {}\nComponents: main\n", fleet.uri.value, release.codename.value);
    if fleet.architectures.len() == 1 {
        text.extend(fleet.architectures.iter().map(|architecture| format!("Architectures: {architecture}\n")));
    }
    text.push_str(&format!("Signed-By: {key}\n"));
    text
}

/// apt_preferences(5). Of our origin, what we generate is like Debian's own (500). So is what the tree allows to take
/// the place of a package of Debian; other packages of the site's own come a hair behind (499): apt upgrades them as
/// usual, but where Debian has one of that name, in whatever version, it is the candidate. Anything else (there should
/// be nothing) is installed only where there is no version of that package at all (1).
fn preferences(model: &Model, site: &BTreeSet<PackageName>) -> String {
    let fleet = &model.fleet;
    let prefix = &fleet.prefix;
    let own = [
        prefix.runtime_package().to_string(),
        prefix.keyring_package().to_string(),
        prefix.people_package().to_string(),
        format!("{prefix}-access-*"),
        prefix.known_hosts_package().to_string(),
        prefix.agent_package().to_string(),
        prefix.nagios_config_package().to_string(),
        prefix.munin_config_package().to_string(),
        prefix.backup_package().to_string(),
        prefix.backup_config_package().to_string(),
        format!("{prefix}-role-*"),
        format!("{prefix}-host-*"),
    ];
    let allowed = |name: &&PackageName| fleet.pin_allow.iter().any(|allowed| allowed.value == **name);
    let (allowed, behind): (Vec<_>, Vec<_>) = site.iter().partition(allowed);
    let first = own.into_iter().chain(allowed.into_iter().map(|name| name.to_string()));
    let behind = behind.into_iter().map(|name| name.to_string()).collect::<Vec<_>>().join(" ");
    let origin = pattern(&fleet.origin);
    let stanza = |why: &str, names: &str, priority: u32| {
        format!("Explanation: {why}\nPackage: {names}\nPin: release o={origin}\nPin-Priority: {priority}\n")
    };
    let mut stanzas = vec![stanza("The packages that this archive is for.", &first.collect::<Vec<_>>().join(" "), 500)];
    if !behind.is_empty() {
        stanzas.push(stanza("The site's own packages, unless Debian has one of that name.", &behind, 499));
    }
    stanzas.push(stanza("Anything else in it must not replace a package of Debian.", "*", 1));
    stanzas.join("\n")
}

/// Allowed names that no package in packages/ has.
pub fn check(model: &Model) -> Vec<Diagnostic> {
    let allow = &model.fleet.pin_allow;
    if allow.is_empty() {
        return Vec::new();
    }
    let site = site_names(model);
    let missing = allow.iter().filter(|name| !site.contains(&name.value));
    missing
        .map(|name| {
            let near = crate::near::nearest(name.value.as_str(), site.iter().map(|name| name.as_str()));
            Diagnostic::new(
                &rules::pin_without_package::RULE,
                format!("there is no package {} in packages/", name.value),
            )
            .at(name.span, "")
            .help(match near {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "remove the name, or put the package's .deb into packages/".to_owned(),
            })
        })
        .collect()
}

/// An origin that matches itself alone: apt reads `*`, `?` and `[` in it as a pattern (glob(7)).
fn pattern(origin: &str) -> String {
    let mut pattern = String::with_capacity(origin.len());
    for c in origin.chars() {
        match c {
            '*' | '?' | '[' => pattern.extend(['[', c, ']']),
            _ => pattern.push(c),
        }
    }
    pattern
}

fn overrides(package: &PackageName) -> String {
    format!(
        "\
# To join a machine to an archive is what this package is for; both are symlinks that removal takes away.
{package}: package-installs-apt-sources
{package}: package-installs-apt-preferences
"
    )
}

/// The names of the site's own packages. One that can't be read is reported where it is published.
fn site_names(model: &Model) -> BTreeSet<PackageName> {
    let name = |bytes: &[u8]| {
        let stanza = deb::read::stanza(bytes).ok()?;
        PackageName::parse(stanza.get("Package")?).ok()
    };
    model.site_packages.iter().filter_map(|package| name(&package.bytes)).collect()
}
