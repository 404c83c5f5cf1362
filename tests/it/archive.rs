//! The archive check against small archives made for each test, and against Debian itself.

use debrole::archive::{Lists, Options, Unavailable, check};
use debrole::diagnostics::Diagnostic;
use debrole::exec::Command;
use debrole::model::{ArchiveSource, Content, Fleet, FleetPlaces, Host, Model, Release, Role, SitePackage};
use debrole::names::{Architecture, Codename, HostName, PackageName, Prefix, RoleName};
use debrole::plan::{DebContent, PackageKind, PackagePlan, Variant};
use debrole::relation::{Comparison, Possibility, Relation, RelationField};
use debrole::source::{FileId, Sources, Span, Spanned};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// A signing key of its own, gone (with its agent) when dropped.
pub struct Key {
    pub home: TempDir,
    pub keyring: PathBuf,
}

impl Key {
    pub fn new() -> Self {
        let home = tempfile::Builder::new().prefix("k").tempdir_in("/tmp").unwrap();
        let key = Key { keyring: home.path().join("public.gpg"), home };
        key.gpg(&[
            "--passphrase",
            "",
            "--quick-generate-key",
            "Test Archive <test@example.org>",
            "ed25519",
            "sign",
            "never",
        ]);
        let public = key.gpg(&["--export"]);
        fs::write(&key.keyring, public).unwrap();
        key
    }
    pub fn gpg(&self, arguments: &[&str]) -> Vec<u8> {
        let gpg = Command::new("gpg").env("GNUPGHOME", self.home.path()).args(["--batch", "--yes", "--quiet"]);
        gpg.args(arguments).run_ok().unwrap().stdout
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").env("GNUPGHOME", self.home.path()).args(["--kill", "all"]).run();
    }
}

/// An archive in a directory, of suites with a few packages each.
pub struct Archive {
    pub directory: TempDir,
    pub key: Key,
}

impl Archive {
    pub fn new() -> Self {
        Archive { directory: TempDir::new().unwrap(), key: Key::new() }
    }
    /// `copy:`, not `file:`, whose lists apt would read in place: what it has fetched stays when the archive goes.
    pub fn uri(&self) -> String {
        format!("copy:{}", self.directory.path().display())
    }
    /// Publishes a suite for amd64 and arm64; each package is its stanza without the fields that are always the
    /// same. What has `X-Only: amd64` is not in the other.
    pub fn suite(&self, suite: &str, packages: &[&str]) {
        let dists = self.directory.path().join("dists").join(suite);
        for architecture in ["amd64", "arm64"] {
            let binary = dists.join(format!("main/binary-{architecture}"));
            fs::create_dir_all(&binary).unwrap();
            let mut text = String::new();
            for package in packages.iter().filter(|p| architecture == "amd64" || !p.contains("\nX-Only: amd64")) {
                let version = if package.contains("\nVersion:") { "" } else { "Version: 1.0-1\n" };
                text.push_str(&format!(
                    "Package: {package}\n{version}Architecture: {architecture}\nMaintainer: x <x@example.org>\n\
                     Description: x\nFilename: pool/x.deb\nSize: 1\nSHA256: {:064x}\n\n",
                    1
                ));
            }
            fs::write(binary.join("Packages"), text).unwrap();
        }
        let release = Command::new("apt-ftparchive")
            .args(["-o", &format!("APT::FTPArchive::Release::Suite={suite}"), "-o"])
            .args([
                &format!("APT::FTPArchive::Release::Codename={suite}"),
                "-o",
                "APT::FTPArchive::Release::Architectures=amd64 arm64",
            ])
            .args(["-o", "APT::FTPArchive::Release::Components=main", "release", "."])
            .directory(&dists)
            .run_ok()
            .unwrap()
            .stdout;
        let path = dists.join("Release");
        fs::write(&path, release).unwrap();
        self.key.gpg(&["--clearsign", "-o", dists.join("InRelease").to_str().unwrap(), path.to_str().unwrap()]);
        fs::remove_file(path).unwrap();
    }
}

/// A fleet without files: roles and hosts that only have relations, each written on a line of its own.
#[derive(Default)]
struct Tree {
    sources: Sources,
    /// Role → release → its relations.
    roles: BTreeMap<RoleName, Role>,
    hosts: BTreeMap<HostName, Host>,
}

const DEPENDS: RelationField = RelationField::Depends;

fn relation(text: &str) -> Relation {
    let possibility = |text: &str| {
        let (name, version) = text.trim().split_once(" (").unwrap_or((text.trim(), ""));
        let version = version.trim_end_matches(')').split_once(' ').map(|(comparison, version)| {
            let comparison = match comparison {
                ">=" => Comparison::LaterOrEqual,
                "<<" => Comparison::Earlier,
                "=" => Comparison::Exactly,
                other => panic!("{other}"),
            };
            (comparison, version.to_owned())
        });
        Possibility { name: PackageName::parse(name).unwrap(), qualifier: None, version }
    };
    Relation(text.split('|').map(possibility).collect())
}

impl Tree {
    fn content(file: FileId, text: &str, relations: &[(RelationField, &str)]) -> Content {
        let mut content = Content::default();
        for (field, written) in relations {
            let start = text.find(written).unwrap();
            let span = Span::new(file, start..start + written.len());
            content.relations.entry(*field).or_default().push(Spanned::new(relation(written), span));
        }
        content
    }

    /// A role that is the same on each of `releases`.
    fn role(mut self, name: &str, includes: &[&str], releases: &[&str], relations: &[(RelationField, &str)]) -> Self {
        let mut text = format!("{name}\n");
        for line in includes.iter().chain(relations.iter().map(|(_, r)| r)) {
            text.push_str(&format!("{line}\n"));
        }
        let file = self.sources.add(format!("roles/{name}.toml"), text.as_str());
        let at = |part: &str| {
            let start = text.find(part).unwrap();
            Span::new(file, start..start + part.len())
        };
        let content = Tree::content(file, &text, relations);
        let role = Role {
            name: Spanned::new(RoleName::parse(name).unwrap(), at(name)),
            summary: name.into(),
            description: String::new(),
            includes: includes.iter().map(|i| Spanned::new(RoleName::parse(i).unwrap(), at(i))).collect(),
            values: BTreeMap::new(),
            monitoring: Default::default(),
            contents: releases.iter().map(|r| (Codename::parse(r).unwrap(), Arc::new(content.clone()))).collect(),
        };
        self.roles.insert(role.name.value.clone(), role);
        self
    }

    fn host(mut self, name: &str, release: &str, roles: &[&str]) -> Self {
        let text = format!("{name}\n{}\n", roles.join("\n"));
        let file = self.sources.add(format!("hosts/{name}.toml"), text.as_str());
        let at = |part: &str| {
            let start = text.find(part).unwrap();
            Span::new(file, start..start + part.len())
        };
        let host = Host {
            name: Spanned::new(HostName::parse(name).unwrap(), at(name)),
            summary: None,
            roles: roles.iter().map(|r| Spanned::new(RoleName::parse(r).unwrap(), at(r))).collect(),
            release: Spanned::new(Codename::parse(release).unwrap(), at(name)),
            host_keys: Vec::new(),
            retired_host_keys: Vec::new(),
            addresses: Vec::new(),
            values: BTreeMap::new(),
            monitoring: Default::default(),
            backup_jobs: Default::default(),
            vm: None,
            hypervisor: None,
            content: Content::default(),
        };
        self.hosts.insert(host.name.value.clone(), host);
        self
    }

    /// The model on these releases, with sources that `source` makes.
    fn model(&self, releases: &[&str], source: impl Fn(&str) -> Vec<ArchiveSource>) -> Model {
        let mut sources = self.sources.clone();
        let text = format!("debrole.toml {}", releases.join(" "));
        let file = sources.add("debrole.toml", text.as_str());
        let release = |(i, name): (usize, &&str)| {
            let start = text.find(name).unwrap();
            Release {
                codename: Spanned::new(Codename::parse(name).unwrap(), Span::new(file, start..start + name.len())),
                version: 12 + i as u32,
                sources: source(name),
                keyring: None,
            }
        };
        let span = Span::new(file, 0..1);
        Model {
            fleet: Fleet {
                prefix: Prefix::parse("pg").unwrap(),
                origin: "Example".into(),
                label: "Example".into(),
                maintainer: "x <x@example.org>".into(),
                uri: Spanned::new("http://apt.example.org".into(), span),
                homepage: None,
                architectures: BTreeSet::from([Architecture::parse("amd64").unwrap()]),
                releases: releases.iter().enumerate().map(release).collect(),
                valid_for: 864_000,
                pin_allow: Vec::new(),
                refresh: Default::default(),
                drift: Default::default(),
                monitoring: Default::default(),
                networks: BTreeMap::new(),
                uids: (2000, 59_999),
                key: None,
                values: BTreeMap::new(),
                host_values: BTreeMap::new(),
                span,
                places: FleetPlaces { prefix: span, origin: span, label: span },
            },
            roles: self.roles.clone(),
            hosts: self.hosts.clone(),
            people: debrole::model::People::default(),
            secrets: debrole::model::Secrets::default(),
            site_packages: Vec::new(),
        }
    }
}

/// The packages of a model, with their relations and nothing else.
fn plans(model: &Model) -> Vec<PackagePlan> {
    let prefix = &model.fleet.prefix;
    let deb = |relations| DebContent {
        summary: "x".into(),
        description: String::new(),
        homepage: None,
        relations,
        fields: &[],
        entries: BTreeMap::new(),
        scripts: BTreeMap::new(),
    };
    let plan = |name: PackageName, kind, span, variants| PackagePlan {
        name,
        kind,
        span,
        variants,
        claims: Vec::new(),
        secrets: Vec::new(),
    };
    let relations = |content: &Content, roles: &[Spanned<RoleName>]| {
        let mut all: BTreeMap<RelationField, Vec<Relation>> = BTreeMap::new();
        for (field, written) in &content.relations {
            all.entry(*field).or_default().extend(written.iter().map(|r| r.value.clone()));
        }
        let needed = all.entry(DEPENDS).or_default();
        needed.push(Relation::on(prefix.runtime_package()));
        needed.extend(roles.iter().map(|role| Relation::on(prefix.role_package(&role.value))));
        all
    };
    let all_releases = model.fleet.releases.iter().map(|r| r.codename.value.clone()).collect();
    let runtime = vec![Variant { releases: all_releases, deb: deb(BTreeMap::new()).into() }];
    let mut plans = vec![plan(prefix.runtime_package(), PackageKind::Runtime, None, runtime)];
    for (name, role) in &model.roles {
        let variant = |(release, content): (&Codename, &Arc<Content>)| Variant {
            releases: vec![release.clone()],
            deb: deb(relations(content, &role.includes)).into(),
        };
        let variants = role.contents.iter().map(variant).collect();
        plans.push(plan(prefix.role_package(name), PackageKind::Role, Some(role.name.span), variants));
    }
    for (name, host) in &model.hosts {
        let mut relations = relations(&host.content, &host.roles);
        for field in [RelationField::Provides, RelationField::Conflicts] {
            relations.entry(field).or_default().push(Relation::on(prefix.any_host()));
        }
        let variants = vec![Variant { releases: vec![host.release.value.clone()], deb: deb(relations).into() }];
        plans.push(plan(prefix.host_package(name), PackageKind::Host, Some(host.name.span), variants));
    }
    plans
}

/// An archive of two releases and a cache for the check.
struct Place {
    archive: Archive,
    cache: TempDir,
}

const RELEASES: [&str; 2] = ["bookworm", "trixie"];
const BOTH: &[&str] = &RELEASES;

impl Place {
    fn new() -> Self {
        let place = Place { archive: Archive::new(), cache: TempDir::new().unwrap() };
        let common = [
            "bash\nEssential: yes\nPriority: required",
            "cron\nPriority: important\nDepends: cron-daemon-common",
            "cron-daemon-common\nPriority: optional",
            "nginx\nVersion: 1.22.1-9\nProvides: httpd, httpd-cgi",
            "varnish",
            "exim4\nDepends: exim4-daemon",
            "exim4-daemon\nProvides: mail-transport-agent\nConflicts: mail-transport-agent",
            "postfix\nProvides: mail-transport-agent\nConflicts: mail-transport-agent",
            "broken\nDepends: vanished-long-ago",
            "anti-bash\nConflicts: bash",
            "pg-role-taken\nVersion: 3.1",
        ];
        let with = |more: &[&'static str]| [&common[..], more].concat();
        place.archive.suite("bookworm", &with(&["postgresql-15", "oldlib"]));
        place.archive.suite("trixie", &with(&["postgresql-17", "newlib", "nginx\nVersion: 1.26.0-1\nProvides: httpd"]));
        place
    }
    fn options(&self, lists: Lists) -> Options {
        Options { cache: self.cache.path().into(), keyring: self.archive.key.keyring.clone(), lists }
    }
    fn model(&self, tree: &Tree, releases: &[&str]) -> Model {
        tree.model(releases, |name| {
            vec![ArchiveSource { uri: self.archive.uri(), suite: name.into(), components: vec!["main".into()] }]
        })
    }
    fn check(&self, tree: &Tree) -> Vec<Diagnostic> {
        self.try_check(tree, Lists::Refresh).unwrap()
    }
    fn try_check(&self, tree: &Tree, lists: Lists) -> Result<Vec<Diagnostic>, Unavailable> {
        let model = self.model(tree, BOTH);
        check(&model, &plans(&model), &self.options(lists))
    }
    /// Sets back when lists were fetched.
    fn age_lists(&self, by: Duration) {
        for entry in fs::read_dir(self.cache.path()).unwrap() {
            let stamp = entry.unwrap().path().join("fetched");
            if let Ok(text) = fs::read_to_string(&stamp) {
                let (_, sources) = text.split_once('\n').unwrap();
                let then = (SystemTime::now() - by).duration_since(UNIX_EPOCH).unwrap().as_secs();
                fs::write(stamp, format!("{then}\n{sources}")).unwrap();
            }
        }
    }
}

/// `code at «marked text»: message`, with help and without notes: what a test compares.
fn summary(tree: &Tree, diagnostics: &[Diagnostic]) -> Vec<String> {
    let one = |d: &Diagnostic| {
        let place = d.primary.as_ref().map_or(String::new(), |label| {
            let known = label.span.file.0 < tree.sources_len();
            format!(" at «{}»", if known { tree.sources.snippet(label.span) } else { "debrole.toml" })
        });
        let help: String = d.help.iter().map(|h| format!(" [{h}]")).collect();
        format!("{}{place}: {}{help}", d.rule.code, d.message)
    };
    diagnostics.iter().map(one).collect()
}

impl Tree {
    fn sources_len(&self) -> u32 {
        (self.roles.len() + self.hosts.len()) as u32
    }
}

#[test]
fn a_sound_fleet_is_clean_and_asked_once() {
    let place = Place::new();
    let tree = Tree::default()
        .role("base", &[], BOTH, &[(DEPENDS, "cron"), (RelationField::Recommends, "varnish")])
        .role(
            "web",
            &["base"],
            BOTH,
            &[
                (DEPENDS, "nginx (>= 1.22)"),
                (DEPENDS, "postgresql-15 | postgresql-17"),
                (DEPENDS, "httpd"),
                (RelationField::Conflicts, "no-such-package"),
            ],
        )
        .role("old", &[], &["bookworm"], &[(DEPENDS, "oldlib")])
        .host("web1.example.org", "bookworm", &["web", "old"])
        .host("web2.example.org", "trixie", &["web"])
        .host("web3.example.org", "trixie", &["web"]);
    assert_eq!(summary(&tree, &place.check(&tree)), [""; 0]);
    // The second time, nothing is fetched or solved: the source may even be gone.
    fs::rename(place.archive.directory.path().join("dists"), place.archive.directory.path().join("away")).unwrap();
    assert_eq!(summary(&tree, &place.check(&tree)), [""; 0]);
    assert_eq!(fs::read_to_string(place.cache.path().join("clean")).unwrap().lines().count(), 2);
}

#[test]
fn names_that_are_not_there() {
    let place = Place::new();
    let tree = Tree::default()
        .role("misspelt", &[], BOTH, &[(DEPENDS, "ngnix"), (RelationField::PreDepends, "vanrish")])
        .role("vanished", &[], BOTH, &[(DEPENDS, "xyzzy-server | plugh")])
        .role("other", &[], BOTH, &[(DEPENDS, "postgresql-15")])
        .role("split", &[], BOTH, &[(DEPENDS, "oldlib | newlib")])
        .role("wrong-release", &[], &["trixie"], &[(DEPENDS, "oldlib")]);
    assert_eq!(
        summary(&tree, &place.check(&tree)),
        [
            "unknown-package at «ngnix»: no package ngnix in bookworm and trixie [near ngnix: nginx]",
            "unknown-package at «vanrish»: no package vanrish in bookworm and trixie [near vanrish: varnish]",
            "unknown-package at «xyzzy-server | plugh»: none of the packages xyzzy-server | plugh is in bookworm and trixie",
            "not-in-release at «postgresql-15»: no package postgresql-15 in trixie [write it under the releases that have \
         it: [release.CODENAME], `depends = [\"postgresql-15\"]`] [near postgresql-15: postgresql-17]",
            "not-in-release at «oldlib»: no package oldlib in trixie [write it under the releases that have it: \
         [release.CODENAME], `depends = [\"oldlib\"]`]",
        ]
    );
}

#[test]
fn versions_that_are_not_there() {
    let place = Place::new();
    let tree = Tree::default()
        .role("new", &[], BOTH, &[(DEPENDS, "nginx (>= 1.26)")])
        .role("never", &[], BOTH, &[(DEPENDS, "nginx (>= 99) | varnish (<< 1)")])
        .role("virtual", &[], BOTH, &[(DEPENDS, "httpd (>= 1)")]);
    let found = place.check(&tree);
    let labels: Vec<&str> = found.iter().map(|d| d.primary.as_ref().unwrap().text.as_str()).collect();
    assert_eq!(
        labels,
        [
            "bookworm has nginx 1.22.1-9",
            "bookworm has nginx 1.22.1-9",
            "httpd is only a virtual package there, provided without a version",
        ]
    );
    let messages: Vec<String> = summary(&tree, &found).iter().map(|s| s.split(" [").next().unwrap().into()).collect();
    assert_eq!(
        messages,
        [
            "version-not-in-release at «nginx (>= 1.26)»: no nginx (>= 1.26) in bookworm",
            "version-not-in-release at «nginx (>= 99) | varnish (<< 1)»: no nginx (>= 99) in bookworm and trixie",
            "version-not-in-release at «httpd (>= 1)»: no httpd (>= 1) in bookworm and trixie",
        ]
    );
}

#[test]
fn what_apt_would_leave_out_without_a_word_is_warned_of() {
    let place = Place::new();
    let tree = Tree::default().role(
        "web",
        &[],
        BOTH,
        &[
            (DEPENDS, "nginx | lighthttpd"),
            (RelationField::Recommends, "varnihs"),
            (RelationField::Recommends, "oldlib"),
            (RelationField::Suggests, "newlib"),
            (RelationField::Suggests, "nothing-like-it"),
            (RelationField::Suggests, "vanrish"),
        ],
    );
    let found = place.check(&tree);
    assert!(found.iter().all(|d| !d.is_error()));
    assert_eq!(
        summary(&tree, &found),
        [
            "useless-relation at «nginx | lighthttpd»: an alternative that does not exist: lighthttpd",
            "useless-relation at «varnihs»: recommends of a package that does not exist: varnihs [near varnihs: varnish]",
            "useless-relation at «oldlib»: apt can't follow the recommendation of oldlib in trixie",
            "useless-relation at «vanrish»: suggests of a package that does not exist: vanrish [near vanrish: varnish]",
        ]
    );
}

#[test]
fn a_name_that_debian_has_is_refused() {
    let place = Place::new();
    let tree = Tree::default().role("taken", &[], BOTH, &[]);
    let found = place.check(&tree);
    assert_eq!(
        summary(&tree, &found)[0].split(" [").next().unwrap(),
        "name-in-debian at «taken»: the name pg-role-taken is Debian's already, in bookworm and trixie"
    );
    assert_eq!(found[0].primary.as_ref().unwrap().text, "version 3.1 there");
}

#[test]
fn conflicts_are_found_by_the_solver_at_the_lines_that_cause_them() {
    let place = Place::new();
    let tree = Tree::default()
        .role("mail", &[], BOTH, &[(DEPENDS, "nginx"), (DEPENDS, "exim4"), (DEPENDS, "postfix")])
        .role("relay", &["mail"], BOTH, &[(DEPENDS, "varnish")])
        .role("deep", &[], BOTH, &[(DEPENDS, "broken")])
        .role("essential", &[], BOTH, &[(DEPENDS, "anti-bash")])
        .role("hostile", &[], BOTH, &[(RelationField::Conflicts, "bash")])
        .role("fine", &[], BOTH, &[(DEPENDS, "nginx")])
        .host("mx.example.org", "trixie", &["relay"]);
    let found = place.check(&tree);
    assert_eq!(
        summary(&tree, &found),
        [
            "uninstallable at «broken»: pg-role-deep can't be installed on bookworm and trixie: apt finds no solution",
            "uninstallable at «anti-bash»: pg-role-essential can't be installed on bookworm and trixie: apt finds no solution",
            "uninstallable at «bash»: pg-role-hostile can't be installed on bookworm and trixie: apt finds no solution",
            "uninstallable at «exim4»: pg-role-mail can't be installed on bookworm and trixie: apt finds no solution",
        ]
    );
    assert_eq!(found[3].secondary.iter().map(|l| tree.sources.snippet(l.span)).collect::<Vec<_>>(), ["postfix"]);
    assert!(found[0].notes[0].contains("broken : Depends: vanished-long-ago"), "{:?}", found[0].notes);
    assert!(found[1].notes[0].contains("anti-bash : Conflicts: bash"), "{:?}", found[1].notes);
    assert!(found[3].notes[1].ends_with("pg-role-relay"), "{:?}", found[3].notes);
    assert!(found[2].notes[0].contains("pg-role-hostile : Conflicts: bash"), "{:?}", found[2].notes);
}

#[test]
fn roles_that_exclude_each_other_are_each_fine() {
    let place = Place::new();
    let tree = Tree::default()
        .role("exim", &[], BOTH, &[(DEPENDS, "exim4")])
        .role("postfix", &[], BOTH, &[(DEPENDS, "postfix")])
        .role("web", &[], BOTH, &[(DEPENDS, "nginx"), (RelationField::Conflicts, "pg-role-postfix")])
        .role("proxy", &["web"], BOTH, &[(DEPENDS, "varnish")])
        .host("a.example.org", "bookworm", &["exim", "proxy"])
        .host("b.example.org", "bookworm", &["postfix"]);
    assert_eq!(summary(&tree, &place.check(&tree)), [""; 0]);
    // A machine that is to be both is not.
    let tree = tree.host("c.example.org", "bookworm", &["exim", "postfix"]);
    let found = place.check(&tree);
    assert_eq!(
        summary(&tree, &found),
        ["uninstallable at «exim»: pg-host-c.example.org can't be installed on bookworm: apt finds no solution",]
    );
    assert_eq!(found[0].secondary.iter().map(|l| tree.sources.snippet(l.span)).collect::<Vec<_>>(), ["postfix"]);
}

#[test]
fn errors_of_every_kind_come_at_once() {
    let place = Place::new();
    let tree = Tree::default().role(
        "all",
        &[],
        BOTH,
        &[(DEPENDS, "ngnix"), (DEPENDS, "varnish (>= 7)"), (DEPENDS, "exim4"), (DEPENDS, "postfix")],
    );
    let codes: Vec<&str> = place.check(&tree).iter().map(|d| d.rule.code).collect();
    assert_eq!(codes, ["unknown-package", "version-not-in-release", "uninstallable"]);
}

#[test]
fn the_sites_own_packages_count() {
    let place = Place::new();
    let tree = Tree::default().role("tool", &[], BOTH, &[(DEPENDS, "site-tool (>= 2)"), (DEPENDS, "site-broken")]);
    let mut model = place.model(&tree, BOTH);
    let with = |name: &str, version: &str, relations: &str| {
        let directory = TempDir::new().unwrap();
        let control = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: x <x@example.org>\n{relations}\
             Description: x\n"
        );
        fs::create_dir_all(directory.path().join("p/DEBIAN")).unwrap();
        fs::write(directory.path().join("p/DEBIAN/control"), control).unwrap();
        Command::new("dpkg-deb").args(["-b", "p", "p.deb"]).directory(directory.path()).run_ok().unwrap();
        let bytes = fs::read(directory.path().join("p.deb")).unwrap();
        SitePackage { path: format!("packages/{name}.deb").into(), bytes: bytes.into() }
    };
    let ask = |model: &Model| check(model, &plans(model), &place.options(Lists::Refresh)).unwrap();
    assert_eq!(ask(&model).iter().map(|d| d.rule.code).collect::<Vec<_>>(), ["unknown-package"; 2]);
    model.site_packages = vec![with("site-tool", "2.1", "Depends: nginx\n"), with("site-broken", "1", "")];
    assert_eq!(summary(&tree, &ask(&model)), [""; 0]);
    model.site_packages = vec![with("site-tool", "1.9", ""), with("site-broken", "1", "Depends: vanished-long-ago\n")];
    let found = ask(&model);
    assert_eq!(
        summary(&tree, &found).iter().map(|s| s.split(':').next().unwrap()).collect::<Vec<_>>(),
        ["version-not-in-release at «site-tool (>= 2)»", "uninstallable at «site-broken»",]
    );
    assert_eq!(found[0].primary.as_ref().unwrap().text, "bookworm has site-tool 1.9");
}

#[test]
fn each_architecture_is_asked() {
    let place = Place::new();
    place.archive.suite("bookworm", &["cron", "grub-pc\nX-Only: amd64", "linux\nDepends: grub-pc"]);
    let tree = Tree::default().role("boot", &[], &["bookworm"], &[(DEPENDS, "grub-pc"), (DEPENDS, "linux")]);
    let mut model = place.model(&tree, &["bookworm"]);
    model.fleet.architectures.insert(Architecture::parse("arm64").unwrap());
    let found = check(&model, &plans(&model), &place.options(Lists::Refresh)).unwrap();
    let found: Vec<String> = summary(&tree, &found).iter().map(|s| s.split(" [").next().unwrap().into()).collect();
    assert_eq!(
        found,
        [
            "not-in-release at «grub-pc»: no package grub-pc in bookworm on arm64",
            "uninstallable at «linux»: pg-role-boot can't be installed on bookworm on arm64: apt finds no solution",
        ]
    );
}

#[test]
fn old_lists_are_fetched_again_or_used_with_a_warning() {
    let place = Place::new();
    let tree = Tree::default().role("web", &[], BOTH, &[(DEPENDS, "apache2")]);
    let codes = |found: &[Diagnostic]| found.iter().map(|d| d.rule.code).collect::<Vec<_>>();
    assert_eq!(codes(&place.check(&tree)), ["unknown-package"]);
    // Fresh lists are not fetched again; old ones are.
    place.archive.suite("bookworm", &["apache2"]);
    place.archive.suite("trixie", &["apache2"]);
    assert_eq!(codes(&place.check(&tree)), ["unknown-package"]);
    place.age_lists(Duration::from_secs(25 * 3600));
    assert_eq!(codes(&place.check(&tree)), [""; 0]);
    // Out of reach, they are used as they are.
    place.age_lists(Duration::from_secs(72 * 3600));
    fs::rename(place.archive.directory.path().join("dists"), place.archive.directory.path().join("away")).unwrap();
    let found = place.check(&tree);
    assert_eq!(
        summary(&tree, &found),
        [
            "old-lists at «debrole.toml»: checked against package lists of bookworm on amd64 that are 3 days old",
            "old-lists at «debrole.toml»: checked against package lists of trixie on amd64 that are 3 days old",
        ]
    );
    assert!(found[0].notes[0].contains("can't be fetched: "), "{:?}", found[0].notes);
    assert_eq!(codes(&place.try_check(&tree, Lists::AsTheyAre).unwrap()), [""; 0]);
}

#[test]
fn without_lists_it_is_an_error() {
    let place = Place::new();
    let tree = Tree::default().role("web", &[], BOTH, &[(DEPENDS, "nginx")]);
    let error = place.try_check(&tree, Lists::AsTheyAre).unwrap_err();
    assert_eq!(error.message, "there are no package lists of bookworm here yet");
    fs::rename(place.archive.directory.path().join("dists"), place.archive.directory.path().join("away")).unwrap();
    let error = place.try_check(&tree, Lists::Refresh).unwrap_err();
    assert!(error.message.starts_with("the package lists of bookworm can't be fetched: "), "{error}");
    // What failed once is not taken for there.
    assert!(place.try_check(&tree, Lists::AsTheyAre).is_err());
}

#[test]
fn an_archive_signed_by_another_key_is_not_believed() {
    let place = Place::new();
    let tree = Tree::default().role("web", &[], BOTH, &[(DEPENDS, "nginx")]);
    let other = Key::new();
    let model = place.model(&tree, BOTH);
    let options = Options { keyring: other.keyring.clone(), ..place.options(Lists::Refresh) };
    let error = check(&model, &plans(&model), &options).unwrap_err();
    assert!(error.message.contains("NO_PUBKEY"), "{error}");
    assert!(error.help.concat().contains("signed_by under [release."), "{:?}", error.help);
    // Unless the release names its keyring.
    let named = |keyring: &Path| {
        let mut model = place.model(&tree, BOTH);
        for release in &mut model.fleet.releases {
            release.keyring = Some(keyring.to_owned());
        }
        check(&model, &plans(&model), &options)
    };
    assert!(named(&place.archive.key.keyring).unwrap().is_empty());
    let missing = named(Path::new("/no/such/mirror.gpg")).unwrap_err();
    assert!(missing.message.contains("/no/such/mirror.gpg"), "{missing}");
    assert!(missing.help.concat().contains("signed_by under [release."), "{:?}", missing.help);
    let options = Options { keyring: "/no/such/keyring.gpg".into(), ..options.clone() };
    let error = check(&model, &plans(&model), &options).unwrap_err();
    assert!(error.message.contains("/no/such/keyring.gpg"), "{error}");
    assert!(error.help.concat().contains("debian-archive-keyring"), "{:?}", error.help);
}

#[test]
fn an_ordinary_user_can_check() {
    if !rustix::process::geteuid().is_root() {
        // The other tests have just shown it.
        return;
    }
    let place = Place::new();
    // As `nobody`, with a cache that only this user can read.
    let open = |path: &Path| Command::new("chmod").args(["-R", "a+rX"]).arg(path).run_ok().unwrap();
    open(place.archive.directory.path());
    open(place.archive.key.home.path());
    Command::new("chown").arg("nobody:nogroup").arg(place.cache.path()).run_ok().unwrap();
    let this = std::env::current_exe().unwrap();
    let home = TempDir::new().unwrap();
    open(home.path());
    let copy = home.path().join("it");
    fs::copy(this, &copy).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(copy)
        .args(["--exact", "archive::as_an_ordinary_user", "--nocapture"])
        .env("DEBROLE_TEST_ARCHIVE", place.archive.directory.path())
        .env("DEBROLE_TEST_KEYRING", &place.archive.key.keyring)
        .env("DEBROLE_TEST_CACHE", place.cache.path())
        .run()
        .unwrap();
    assert!(output.success() && output.stdout_text().contains("checked as 65534"), "{output:?}");
}

/// The inner half of [`an_ordinary_user_can_check`]: does nothing unless it is started by that.
#[test]
fn as_an_ordinary_user() {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let (Some(archive), Some(keyring), Some(cache)) =
        (variable("DEBROLE_TEST_ARCHIVE"), variable("DEBROLE_TEST_KEYRING"), variable("DEBROLE_TEST_CACHE"))
    else {
        return;
    };
    let tree = Tree::default().role("web", &[], BOTH, &[(DEPENDS, "ngnix"), (DEPENDS, "exim4"), (DEPENDS, "postfix")]);
    let uri = format!("copy:{}", archive.display());
    let model = tree.model(BOTH, |name| {
        vec![ArchiveSource { uri: uri.clone(), suite: name.into(), components: vec!["main".into()] }]
    });
    let found = check(&model, &plans(&model), &Options { cache, keyring, lists: Lists::Refresh }).unwrap();
    let codes: Vec<&str> = found.iter().map(|d| d.rule.code).collect();
    assert_eq!(codes, ["unknown-package", "uninstallable"]);
    println!("checked as {}", rustix::process::geteuid().as_raw());
}

/// The machine's own Debian mirror, as its apt sources name it.
pub fn debian_mirror() -> String {
    let mut texts: Vec<String> = fs::read_to_string("/etc/apt/sources.list").into_iter().collect();
    for entry in fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten() {
        texts.extend(fs::read_to_string(entry.path()));
    }
    let word = |word: &str| word.trim_end_matches('/').ends_with("/debian");
    texts
        .iter()
        .flat_map(|text| text.split_whitespace())
        .find(|w| w.contains("://") && word(w))
        .map_or("http://deb.debian.org/debian".into(), |uri| uri.trim_end_matches('/').to_owned())
}

/// Where the lists of Debian itself are kept from one run of the tests to the next, as on a build machine.
pub fn debian_cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("archive")
}

#[test]
fn debian_itself() {
    let mirror = debian_mirror();
    let cache = debian_cache();
    let tree = Tree::default()
        .role(
            "web",
            &[],
            BOTH,
            &[(DEPENDS, "nginx (>= 1.22)"), (DEPENDS, "varnish"), (DEPENDS, "mail-transport-agent")],
        )
        .role("db", &[], BOTH, &[(DEPENDS, "postgresql")])
        .role("wrong", &[], BOTH, &[(DEPENDS, "ngnix"), (DEPENDS, "postgresql-15")])
        .role("mail", &[], BOTH, &[(DEPENDS, "exim4"), (DEPENDS, "postfix")])
        .host("a.example.org", "bookworm", &["web", "db"])
        .host("b.example.org", "trixie", &["web", "db"]);
    let model = tree.model(BOTH, |name| {
        let source = |suite: String, uri: String| ArchiveSource { uri, suite, components: vec!["main".into()] };
        vec![
            source(name.into(), mirror.clone()),
            source(format!("{name}-updates"), mirror.clone()),
            source(format!("{name}-security"), format!("{mirror}-security")),
        ]
    });
    let options = Options { cache, keyring: Options::DEBIAN_KEYRING.into(), lists: Lists::Refresh };
    let found = check(&model, &plans(&model), &options).unwrap();
    let found: Vec<String> = summary(&tree, &found).iter().map(|s| s.split(" [").next().unwrap().into()).collect();
    assert_eq!(
        found,
        [
            "unknown-package at «ngnix»: no package ngnix in bookworm and trixie",
            "not-in-release at «postgresql-15»: no package postgresql-15 in trixie",
            "uninstallable at «exim4»: pg-role-mail can't be installed on bookworm and trixie: apt finds no solution",
        ]
    );
}

#[test]
fn thousands_of_roles_take_seconds() {
    let place = Place::new();
    let mut tree = Tree::default().role("base", &[], BOTH, &[(DEPENDS, "cron")]);
    for i in 0..1000 {
        let depends = ["nginx", "varnish", "exim4", "httpd"][i % 4];
        tree = tree.role(&format!("r{i:04}"), &["base"], BOTH, &[(DEPENDS, depends)]);
    }
    tree = tree.role("r0500b", &["r0500"], BOTH, &[(DEPENDS, "exim4"), (DEPENDS, "postfix")]);
    let started = Instant::now();
    let found = place.check(&tree);
    assert_eq!(found.len(), 1, "{:?}", summary(&tree, &found));
    assert!(found[0].message.starts_with("pg-role-r0500b "));
    assert!(started.elapsed() < Duration::from_secs(120), "{:?}", started.elapsed());
}
