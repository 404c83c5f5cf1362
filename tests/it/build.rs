//! The build stage: versions, reuse, tombstones, moves, changelogs, the site's packages.

use crate::machine::{Need, skip};
use debrole::build::{self, Build, Change, Input, Published, What, version::Base};
use debrole::deb::read::{self, Found};
use debrole::diagnostics::Diagnostic;
use debrole::model::{Fleet, FleetPlaces, Model, Release, SitePackage};
use debrole::names::{Codename, MachinePath, PackageName, Prefix};
use debrole::plan::{Claim, ClaimKind, ControlMember, DebContent, Entry, PackageKind, PackagePlan, Variant};
use debrole::relation::{Relation, RelationField};
use debrole::repo::manifest::{FORMAT, Manifest, PackageRecord, let_go};
use debrole::source::{FileId, Span, Spanned};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

const DAY: i64 = 86_400;
/// 2026-11-22 12:00:00 UTC.
const NOW: i64 = 1_795_348_800;

/// A model with these releases and nothing in it.
pub fn model(releases: &[(&str, u32)]) -> Model {
    let span = Span::new(FileId(0), 0..0);
    Model {
        fleet: Fleet {
            prefix: Prefix::parse("pg").unwrap(),
            origin: "Example Project".into(),
            label: "Example Project".into(),
            maintainer: "Example Sysadmins <sysadmins@example.org>".into(),
            uri: Spanned::new("http://apt.example.org".into(), span),
            homepage: Some("https://example.org".into()),
            architectures: ["amd64"].map(|name| debrole::names::Architecture::parse(name).unwrap()).into(),
            releases: releases
                .iter()
                .map(|(name, version)| Release {
                    codename: Spanned::new(Codename::parse(name).unwrap(), span),
                    version: *version,
                    sources: Vec::new(),
                    keyring: None,
                })
                .collect(),
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
        roles: BTreeMap::new(),
        hosts: BTreeMap::new(),
        people: debrole::model::People::default(),
        secrets: debrole::model::Secrets::default(),
        site_packages: Vec::new(),
    }
}

pub fn content(summary: &str) -> DebContent {
    DebContent {
        summary: summary.into(),
        description: "What it is for.\n\nAnd what else.".into(),
        homepage: Some("https://example.org".into()),
        relations: BTreeMap::new(),
        fields: &[],
        entries: BTreeMap::new(),
        scripts: BTreeMap::new(),
    }
}

pub fn with_file(mut content: DebContent, path: &str, text: &str) -> DebContent {
    let entry = Entry::File { mode: 0o644, bytes: text.as_bytes().into() };
    content.entries.insert(MachinePath::parse(path).unwrap(), entry);
    content
}

pub fn plan(name: &str, kind: PackageKind, variants: &[(&[&str], DebContent)]) -> PackagePlan {
    PackagePlan {
        name: PackageName::parse(name).unwrap(),
        kind,
        span: None,
        variants: variants
            .iter()
            .map(|(releases, deb)| Variant {
                releases: releases.iter().map(|name| Codename::parse(name).unwrap()).collect(),
                deb: deb.clone().into(),
            })
            .collect(),
        claims: Vec::new(),
        secrets: Vec::new(),
    }
}

/// A repository in memory: the manifest and the pool.
#[derive(Default)]
pub struct Repository {
    pub manifest: Option<Manifest>,
    pub pool: BTreeMap<String, Vec<u8>>,
}

impl Published for Repository {
    fn read(&self, filename: &str) -> std::io::Result<Vec<u8>> {
        self.pool.get(filename).cloned().ok_or(std::io::ErrorKind::NotFound.into())
    }
}

impl Repository {
    /// Builds and publishes; nothing is kept when it fails.
    pub fn publish(&mut self, model: &Model, plans: &[PackagePlan], time: i64) -> Result<Build, Vec<Diagnostic>> {
        let sink = Mutex::new(BTreeMap::new());
        let input = Input { model, plans, previous: self.manifest.as_ref(), published: self, time, withdrawn: &[] };
        let build = build::build(input, &sink)?;
        for (filename, bytes) in sink.into_inner().unwrap() {
            let before = self.pool.insert(filename.clone(), bytes);
            assert!(before.is_none(), "{filename} was published already");
        }
        for record in &build.records {
            let bytes = self.pool.get(&record.filename).expect("every record is in the pool");
            assert_eq!((record.size, &record.sha256), (bytes.len() as u64, &debrole::deb::sha256(bytes)));
        }
        let previous = self.manifest.as_ref();
        self.manifest = Some(Manifest {
            format: FORMAT,
            generation: previous.map_or(1, |manifest| manifest.generation + 1),
            date: previous.map_or(time, |manifest| time.max(manifest.date + 1)),
            valid_until: time + 10 * DAY,
            origin: model.fleet.origin.clone(),
            label: model.fleet.label.clone(),
            architectures: model.fleet.architectures.iter().cloned().collect(),
            signed_by: Vec::new(),
            packages: build.records.clone(),
            highest: build.highest.clone(),
            suites: BTreeMap::new(),
            retained: previous.map_or_else(Vec::new, |manifest| manifest.retained.clone()),
            earlier: Vec::new(),
            let_go: let_go(previous, &build.records),
        });
        Ok(build)
    }

    pub fn record(&self, name: &str, release: &str) -> &PackageRecord {
        let manifest = self.manifest.as_ref().unwrap();
        let mut found = manifest
            .packages
            .iter()
            .filter(|r| r.name.as_str() == name && r.releases.iter().any(|c| c.as_str() == release));
        let record = found.next().unwrap_or_else(|| panic!("{name} is not published for {release}"));
        assert!(found.next().is_none());
        record
    }

    pub fn version(&self, name: &str, release: &str) -> &str {
        &self.record(name, release).version
    }

    pub fn changelog(&self, name: &str, release: &str) -> String {
        let contents = read::read(&self.pool[&self.record(name, release).filename], |_| true).unwrap();
        let Found::File { bytes: Some(bytes), .. } = &contents.entries[&format!("/usr/share/doc/{name}/changelog.gz")]
        else {
            panic!("no changelog");
        };
        let mut text = String::new();
        flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
        text
    }
}

fn change<'b>(build: &'b Build, name: &str) -> &'b Change {
    build.changes.iter().find(|change| change.name.as_str() == name).unwrap()
}

fn codes(result: Result<Build, Vec<Diagnostic>>) -> Vec<&'static str> {
    match result {
        Ok(_) => Vec::new(),
        Err(all) => all.iter().map(|diagnostic| diagnostic.rule.code).collect(),
    }
}

const BOTH: &[(&str, u32)] = &[("bookworm", 12), ("trixie", 13)];
const ALL: &[&str] = &["bookworm", "trixie"];

#[test]
fn one_changed_role_is_the_only_one_to_move() {
    let model = model(BOTH);
    let web =
        |text| plan("pg-role-web", PackageKind::Role, &[(ALL, with_file(content("Web"), "/usr/share/pg/x", text))]);
    let db = plan("pg-role-db", PackageKind::Role, &[(ALL, content("Database"))]);
    let mut repository = Repository::default();
    repository.publish(&model, &[db.clone(), web("1")], NOW).unwrap();
    let pool = repository.pool.clone();

    let same = repository.publish(&model, &[db.clone(), web("1")], NOW + 3 * DAY).unwrap();
    assert!(same.changes.iter().all(|change| !change.is_change()));
    assert_eq!(repository.pool, pool);

    let build = repository.publish(&model, &[db, web("2")], NOW + 4 * DAY).unwrap();
    assert_eq!(repository.version("pg-role-db", "trixie"), "20261122.1");
    assert_eq!(repository.version("pg-role-web", "bookworm"), "20261126.1");
    assert_eq!(repository.pool.len(), pool.len() + 1);
    assert_eq!(
        change(&build, "pg-role-web").to_string(),
        "pg-role-web 20261122.1 → 20261126.1: /usr/share/pg/x changed"
    );
    assert_eq!(change(&build, "pg-role-db").to_string(), "pg-role-db 20261122.1: unchanged");
}

#[test]
fn a_clock_that_runs_back_does_no_harm() {
    let model = model(BOTH);
    let web = |text: &str| [plan("pg-role-web", PackageKind::Role, &[(ALL, content(text))])];
    let mut repository = Repository::default();
    let mut last = Base { date: 0, number: 0 };
    for (i, time) in [NOW, NOW - 30 * DAY, NOW - 30 * DAY, 0, NOW + DAY, NOW].into_iter().enumerate() {
        repository.publish(&model, &web(&format!("Web {i}")), time).unwrap();
        let base = Base::parse(repository.version("pg-role-web", "trixie")).unwrap();
        assert!(base > last, "{base} after {last}");
        last = base;
        // The changelog's dates don't run back either.
        let text = repository.changelog("pg-role-web", "trixie");
        let dates: Vec<i64> = text
            .lines()
            .filter_map(|line| line.strip_prefix(" -- ")?.split_once(">  "))
            .map(|(_, date)| jiff::fmt::rfc2822::parse(date).unwrap().timestamp().as_second())
            .collect();
        assert_eq!(dates.len(), i + 1);
        assert!(dates.is_sorted_by(|newer, older| newer >= older), "{text}");
    }
    assert_eq!(last.to_string(), "20261123.2");
}

#[test]
fn variants_share_a_base_and_move_together() {
    let model = model(BOTH);
    let web = |old: &str, new: &str| {
        let variants: &[(&[&str], DebContent)] = &[(&["bookworm"], content(old)), (&["trixie"], content(new))];
        match old == new {
            true => [plan("pg-role-web", PackageKind::Role, &[(ALL, content(old))])],
            false => [plan("pg-role-web", PackageKind::Role, variants)],
        }
    };
    let mut repository = Repository::default();
    let versions = |repository: &Repository| {
        ALL.iter().map(|release| repository.version("pg-role-web", release).to_string()).collect::<Vec<_>>()
    };
    repository.publish(&model, &web("One", "One"), NOW).unwrap();
    assert_eq!(versions(&repository), ["20261122.1", "20261122.1"]);
    // Now they differ: bookworm's content is as it was, and still has to move.
    repository.publish(&model, &web("One", "Two"), NOW).unwrap();
    assert_eq!(versions(&repository), ["20261122.2+deb12", "20261122.2+deb13"]);
    // Swapped: the same bytes would do, but trixie's machines would see a lower version.
    repository.publish(&model, &web("Two", "One"), NOW).unwrap();
    assert_eq!(versions(&repository), ["20261122.3+deb12", "20261122.3+deb13"]);
    // One changes, both move.
    repository.publish(&model, &web("Three", "One"), NOW + DAY).unwrap();
    assert_eq!(versions(&repository), ["20261123.1+deb12", "20261123.1+deb13"]);
    // bookworm becomes as trixie is: trixie's package does for both, and is higher for bookworm's machines.
    let build = repository.publish(&model, &web("One", "One"), NOW + DAY).unwrap();
    assert_eq!(versions(&repository), ["20261123.1+deb13", "20261123.1+deb13"]);
    assert!(matches!(change(&build, "pg-role-web").what, What::Relisted { .. }));
}

#[test]
fn the_same_content_on_both_sides_of_another_gets_three_versions() {
    let model = model(&[("bookworm", 12), ("trixie", 13), ("forky", 14)]);
    let variants: &[(&[&str], DebContent)] = &[(&["bookworm", "forky"], content("One")), (&["trixie"], content("Two"))];
    let plans = [plan("pg-role-web", PackageKind::Role, variants)];
    let mut repository = Repository::default();
    repository.publish(&model, &plans, NOW).unwrap();
    for (release, version) in [("bookworm", "12"), ("trixie", "13"), ("forky", "14")] {
        assert_eq!(repository.version("pg-role-web", release), format!("20261122.1+deb{version}"));
    }
    let again = repository.publish(&model, &plans, NOW + DAY).unwrap();
    assert!(!change(&again, "pg-role-web").is_change());
}

#[test]
fn what_leaves_the_tree_leaves_a_tombstone_and_comes_back_higher() {
    let model = model(BOTH);
    let web = [plan("pg-role-web", PackageKind::Role, &[(ALL, with_file(content("Web"), "/usr/lib/x", "x"))])];
    let mut repository = Repository::default();
    repository.publish(&model, &web, NOW).unwrap();
    let build = repository.publish(&model, &[], NOW).unwrap();
    assert!(matches!(change(&build, "pg-role-web").what, What::Tombstone { .. }));
    let record = repository.record("pg-role-web", "trixie").clone();
    assert_eq!((record.kind, record.version.as_str()), (PackageKind::Tombstone, "20261122.2"));
    assert!(record.in_place.is_empty() && !record.control.contains("\nDepends:"));
    let contents = read::read(&repository.pool[&record.filename], |_| false).unwrap();
    let files: Vec<&String> = contents
        .entries
        .iter()
        .filter(|(_, found)| matches!(found, Found::File { .. }))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(files, ["/usr/share/doc/pg-role-web/changelog.gz", "/usr/share/doc/pg-role-web/copyright"]);

    // Kept as it is, whatever the day and the label; for a release that is added too.
    let mut later = self::model(&[("bookworm", 12), ("trixie", 13), ("forky", 14)]);
    later.fleet.label = "Another label".into();
    repository.publish(&later, &[], NOW + 400 * DAY).unwrap();
    assert_eq!(repository.record("pg-role-web", "forky").sha256, record.sha256);

    let build = repository.publish(&model, &web, NOW).unwrap();
    assert_eq!(repository.version("pg-role-web", "bookworm"), "20261122.3");
    assert!(matches!(change(&build, "pg-role-web").what, What::Returned { .. }));
    let text = repository.changelog("pg-role-web", "bookworm");
    assert!(text.contains("Back in the fleet.") && text.contains("left the fleet") && text.contains("First version."));
}

#[test]
fn a_role_that_leaves_one_release_is_a_tombstone_there() {
    let model = model(BOTH);
    let both = [plan("pg-role-web", PackageKind::Role, &[(ALL, content("Web"))])];
    let old = [plan("pg-role-web", PackageKind::Role, &[(&["bookworm"], content("Web"))])];
    let mut repository = Repository::default();
    repository.publish(&model, &both, NOW).unwrap();
    repository.publish(&model, &old, NOW).unwrap();
    let kinds: Vec<PackageKind> = ALL.iter().map(|release| repository.record("pg-role-web", release).kind).collect();
    assert_eq!(kinds, [PackageKind::Role, PackageKind::Tombstone]);
    let again = repository.publish(&model, &old, NOW + DAY).unwrap();
    assert!(again.changes.iter().all(|change| !change.is_change()));
    assert_eq!(repository.version("pg-role-web", "trixie"), "20261122.2+deb13");
}

/// A role plan, the same for both releases.
fn role(name: &str, deb: DebContent) -> PackagePlan {
    plan(name, PackageKind::Role, &[(ALL, deb)])
}

/// The codes of what is wrong.
fn refused(repository: &mut Repository, model: &Model, plans: &[PackagePlan], time: i64) -> Vec<&'static str> {
    let before = (repository.manifest.clone(), repository.pool.clone());
    let codes = codes(repository.publish(model, plans, time));
    assert_eq!((&repository.manifest, &repository.pool), (&before.0, &before.1), "nothing is published on an error");
    codes
}

const UNIT: &str = "/usr/lib/systemd/system/report.service";

#[test]
fn a_file_that_moves_gets_breaks_and_replaces_for_good() {
    let model = model(BOTH);
    let mut repository = Repository::default();
    let with_unit = |summary: &str| with_file(content(summary), UNIT, "[Service]\n");
    repository.publish(&model, &[role("pg-role-a", with_unit("A")), role("pg-role-b", content("B"))], NOW).unwrap();
    let moved = [role("pg-role-a", content("A")), role("pg-role-b", with_unit("B"))];
    let build = repository.publish(&model, &moved, NOW + DAY).unwrap();
    let control = repository.record("pg-role-b", "trixie").control.clone();
    assert!(
        control.contains("\nBreaks: pg-role-a (<< 20261123.1)\nReplaces: pg-role-a (<< 20261123.1)\n"),
        "{control}"
    );
    assert_eq!(repository.version("pg-role-a", "trixie"), "20261123.1");
    assert_eq!(
        change(&build, "pg-role-b").to_string(),
        format!("pg-role-b 20261122.1 → 20261123.1: {UNIT} added; took over files from pg-role-a")
    );
    assert!(!repository.record("pg-role-a", "trixie").control.contains("Breaks"));

    // The move is past: nothing is built again, and the bytes stay.
    let build = repository.publish(&model, &moved, NOW + 2 * DAY).unwrap();
    assert!(build.changes.iter().all(|change| !change.is_change()));
    // A later version still says so: a machine may come straight from before the move.
    let later = [role("pg-role-a", content("A2")), role("pg-role-b", with_unit("B2"))];
    repository.publish(&model, &later, NOW + 3 * DAY).unwrap();
    let control = &repository.record("pg-role-b", "trixie").control;
    assert!(
        control.contains("\nBreaks: pg-role-a (<< 20261123.1)\nReplaces: pg-role-a (<< 20261123.1)\n"),
        "{control}"
    );
    assert!(control.contains("\nVersion: 20261125.1\n"));
    // And back: now the other replaces this one, up to the version that lets go of it; there is no circle.
    let back = [role("pg-role-a", with_unit("A3")), role("pg-role-b", content("B3"))];
    repository.publish(&model, &back, NOW + 4 * DAY).unwrap();
    let control = &repository.record("pg-role-a", "trixie").control;
    assert!(control.contains("\nBreaks: pg-role-b (<< 20261126.1)\n"), "{control}");
    assert!(!repository.record("pg-role-b", "trixie").control.contains("Breaks"));
}

#[test]
fn a_file_taken_over_from_what_left_the_tree_replaces_it() {
    let model = model(BOTH);
    let mut repository = Repository::default();
    repository.publish(&model, &[role("pg-role-a", with_file(content("A"), UNIT, "[Service]\n"))], NOW).unwrap();
    // /lib is /usr/lib.
    let lib = UNIT.strip_prefix("/usr").unwrap();
    repository.publish(&model, &[role("pg-role-b", with_file(content("B"), lib, "[Service]\n"))], NOW).unwrap();
    assert_eq!(repository.record("pg-role-a", "trixie").kind, PackageKind::Tombstone);
    let control = &repository.record("pg-role-b", "trixie").control;
    assert!(control.contains("\nReplaces: pg-role-a (<< 20261122.2)\n"), "{control}");
    // Payload is below a directory of the package's own: it never needs it.
    let payload = |name: &str| role(name, with_file(content(name), "/usr/share/pg/x", "x"));
    repository.publish(&model, &[payload("pg-role-c")], NOW).unwrap();
    repository.publish(&model, &[payload("pg-role-d")], NOW).unwrap();
    assert!(!repository.record("pg-role-d", "trixie").control.contains("Replaces"));
}

/// dpkg with a root of its own. The packages have no maintainer scripts, so it needs nothing in there.
struct Dpkg(tempfile::TempDir);

impl Dpkg {
    fn new() -> Dpkg {
        let root = tempfile::tempdir().unwrap();
        let admin = root.path().join("var/lib/dpkg");
        std::fs::create_dir_all(admin.join("info")).unwrap();
        std::fs::create_dir_all(admin.join("updates")).unwrap();
        std::fs::write(admin.join("status"), "").unwrap();
        Dpkg(root)
    }

    fn run(&self, arguments: &[&str], debs: &[&[u8]]) -> Result<(), String> {
        let directory = tempfile::tempdir().unwrap();
        let files: Vec<_> = (0..debs.len()).map(|i| directory.path().join(format!("{i}.deb"))).collect();
        for (file, bytes) in files.iter().zip(debs) {
            std::fs::write(file, bytes).unwrap();
        }
        let output = Command::new("dpkg")
            .arg(format!("--root={}", self.0.path().display()))
            .args(["--force-not-root", "--force-unsafe-io", "--log=/dev/null", "--auto-deconfigure"])
            .args(arguments)
            .args(&files)
            .env("LC_ALL", "C")
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .output()
            .unwrap();
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// Which package holds the path, and that it is there.
    fn owner(&self, path: &str) -> String {
        assert!(self.0.path().join(&path[1..]).exists());
        let info = self.0.path().join("var/lib/dpkg/info");
        let lists = std::fs::read_dir(info).unwrap().map(|entry| entry.unwrap().path());
        let holders: Vec<String> = lists
            .filter(|file| file.extension().is_some_and(|extension| extension == "list"))
            .filter(|file| std::fs::read_to_string(file).unwrap().lines().any(|line| line == path))
            .map(|file| file.file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        holders.join(" ")
    }
}

#[test]
fn real_dpkg_upgrades_over_a_move_in_either_order() {
    let model = model(BOTH);
    let with_unit = |summary: &str, text: &str| with_file(content(summary), UNIT, text);
    let old = [role("pg-role-a", with_unit("A", "old")), role("pg-role-b", content("B"))];
    let new = [role("pg-role-a", content("A")), role("pg-role-b", with_unit("B", "new"))];
    let mut repository = Repository::default();
    let deb =
        |repository: &Repository, name: &str| repository.pool[&repository.record(name, "trixie").filename].clone();
    repository.publish(&model, &old, NOW).unwrap();
    let (a1, b1) = (deb(&repository, "pg-role-a"), deb(&repository, "pg-role-b"));
    repository.publish(&model, &new, NOW + DAY).unwrap();
    let (a2, b2) = (deb(&repository, "pg-role-a"), deb(&repository, "pg-role-b"));
    // The twin that never heard of the move.
    let mut fresh = Repository::default();
    fresh.publish(&model, &new, NOW + DAY).unwrap();
    let unaware = deb(&fresh, "pg-role-b");

    for order in [[&b2, &a2], [&a2, &b2]] {
        let dpkg = Dpkg::new();
        dpkg.run(&["-i"], &[&a1, &b1]).unwrap();
        assert_eq!(dpkg.owner(UNIT), "pg-role-a");
        for deb in order {
            dpkg.run(&["--unpack"], &[deb]).unwrap();
        }
        dpkg.run(&["--configure", "-a"], &[]).unwrap();
        assert_eq!(dpkg.owner(UNIT), "pg-role-b");
        assert_eq!(std::fs::read_to_string(dpkg.0.path().join(&UNIT[1..])).unwrap(), "new");
        dpkg.run(&["--purge", "pg-role-a"], &[]).unwrap();
        assert_eq!(dpkg.owner(UNIT), "pg-role-b");
    }
    let dpkg = Dpkg::new();
    dpkg.run(&["-i"], &[&a1, &b1]).unwrap();
    assert!(dpkg.run(&["--unpack"], &[&unaware]).unwrap_err().contains("trying to overwrite"));
}

#[test]
fn the_changelog_goes_on_and_says_what_changed() {
    if skip("changelogs before dpkg-parsechangelog", &[Need::Program("dpkg-parsechangelog")]) {
        return;
    }
    let model = model(BOTH);
    let mut repository = Repository::default();
    let manifest = |file: &str, state: &str| {
        format!(
            "debrole-manifest 1\npackage pg-role-web\nfile /etc/nginx/conf.d/x.conf 0644 root root {}\n\
             reload /etc/nginx/conf.d/x.conf nginx.service\nunit nginx.service {state}\n",
            debrole::deb::sha256(file.as_bytes())
        )
    };
    let root = "/usr/share/pg/roles/web";
    let web = |depends: &[&str], file: &str, state: &str, script: &str| {
        let mut deb = content("Web");
        let relation = |name: &&str| Relation::on(PackageName::parse(name).unwrap());
        deb.relations.insert(RelationField::Depends, depends.iter().map(relation).collect());
        deb.scripts.insert(ControlMember::Postinst, script.into());
        let deb = with_file(deb, &format!("{root}/manifest"), &manifest(file, state));
        role("pg-role-web", with_file(deb, &format!("{root}/files/etc/nginx/conf.d/x.conf"), file))
    };
    repository.publish(&model, &[web(&["nginx", "apache2"], "1", "enabled", "#!/bin/sh\n")], NOW).unwrap();
    let build =
        repository.publish(&model, &[web(&["nginx", "varnish"], "2", "masked", "#!/bin/sh\n:\n")], NOW + DAY).unwrap();
    assert_eq!(
        change(&build, "pg-role-web").to_string(),
        "pg-role-web 20261122.1 → 20261123.1: Depends +varnish, -apache2; /etc/nginx/conf.d/x.conf changed; \
         nginx.service enabled → masked; postinst changed"
    );
    assert_eq!(
        repository.changelog("pg-role-web", "trixie"),
        "pg-role-web (20261123.1) bookworm trixie; urgency=medium\n\
         \n\
         \x20 * Depends +varnish, -apache2.\n\
         \x20 * /etc/nginx/conf.d/x.conf changed.\n\
         \x20 * nginx.service enabled → masked.\n\
         \x20 * Postinst changed.\n\
         \n\
         \x20-- Example Sysadmins <sysadmins@example.org>  Mon, 23 Nov 2026 12:00:00 +0000\n\
         \n\
         pg-role-web (20261122.1) bookworm trixie; urgency=medium\n\
         \n\
         \x20 * First version.\n\
         \n\
         \x20-- Example Sysadmins <sysadmins@example.org>  Sun, 22 Nov 2026 12:00:00 +0000\n"
    );
    // It keeps the last twenty, and dpkg reads every one.
    for i in 0..25 {
        repository
            .publish(&model, &[web(&["nginx"], &format!("{i}"), "enabled", "#!/bin/sh\n")], NOW + 2 * DAY)
            .unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("changelog");
    std::fs::write(&file, repository.changelog("pg-role-web", "trixie")).unwrap();
    let output =
        Command::new("dpkg-parsechangelog").arg("-l").arg(&file).args(["--all", "-S", "Version"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "no warning");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "20261124.25");
    let output = Command::new("dpkg-parsechangelog")
        .arg("-l")
        .arg(&file)
        .args(["--all", "--format", "rfc822"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(text.matches("\nVersion: ").count(), 20, "{text}");
}

#[test]
fn without_the_published_package_there_is_no_next_version() {
    let model = model(BOTH);
    let mut repository = Repository::default();
    repository.publish(&model, &[role("pg-role-a", content("A")), role("pg-role-b", content("B"))], NOW).unwrap();
    let filename = repository.record("pg-role-a", "trixie").filename.clone();
    let next = [role("pg-role-a", content("A2")), role("pg-role-b", content("B"))];
    let bytes = repository.pool.insert(filename.clone(), b"damaged".to_vec()).unwrap();
    assert_eq!(refused(&mut repository, &model, &next, NOW), ["published-package-unreadable"]);
    repository.pool.remove(&filename);
    assert_eq!(refused(&mut repository, &model, &next, NOW), ["published-package-unreadable"]);
    // What is not built again is not read.
    let other = [role("pg-role-a", content("A")), role("pg-role-b", content("B2"))];
    let sink = Mutex::new(BTreeMap::new());
    let manifest = repository.manifest.as_ref();
    let input =
        Input { model: &model, plans: &other, previous: manifest, published: &repository, time: NOW, withdrawn: &[] };
    assert_eq!(build::build(input, &sink).unwrap().records.len(), 2);
    repository.pool.insert(filename, bytes);
    repository.publish(&model, &next, NOW).unwrap();
}

#[test]
fn what_can_not_be_versioned_or_written_is_refused() {
    let mut model = model(BOTH);
    let mut repository = Repository::default();
    let runtime = plan("pg-runtime", PackageKind::Runtime, &[(ALL, content("Runtime"))]);
    let web = role("pg-role-web", content("Web"));
    let plans = [web.clone(), runtime.clone()];
    assert_eq!(refused(&mut repository, &model, &plans, -1), ["clock-implausible"]);
    assert_eq!(refused(&mut repository, &model, &plans, i64::MAX), ["clock-implausible"]);
    assert_eq!(
        refused(&mut repository, &model, &[role("pg-role-web", content("Web\nEssential: yes")), runtime.clone()], NOW),
        ["package-unwritable"]
    );
    repository.publish(&model, &plans, NOW).unwrap();
    model.fleet.prefix = Prefix::parse("ex").unwrap();
    let renamed = [plan("ex-runtime", PackageKind::Runtime, &[(ALL, content("Runtime"))])];
    assert_eq!(refused(&mut repository, &model, &renamed, NOW), ["prefix-changed"]);
    model.fleet.prefix = Prefix::parse("pg").unwrap();
    let db = PackageName::parse("pg-role-db").unwrap();
    repository.manifest.as_mut().unwrap().highest.insert(db, "1:1.0".into());
    let with_db = [role("pg-role-db", content("Database")), web, runtime];
    assert_eq!(refused(&mut repository, &model, &with_db, NOW), ["version-overtaken"]);
    repository.manifest.as_mut().unwrap().highest.insert(PackageName::parse("pg-role-db").unwrap(), "1.0".into());
    repository.publish(&model, &with_db, NOW).unwrap();
}

/// A .deb as somebody else makes it, by dpkg-deb.
fn foreign(control: &str, files: &[(&str, &str)]) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let tree = directory.path().join("tree");
    std::fs::create_dir_all(tree.join("DEBIAN")).unwrap();
    std::fs::write(tree.join("DEBIAN/control"), control).unwrap();
    for (path, text) in files {
        std::fs::create_dir_all(tree.join(path).parent().unwrap()).unwrap();
        std::fs::write(tree.join(path), text).unwrap();
    }
    let deb = directory.path().join("x.deb");
    let output = Command::new("dpkg-deb").args(["--root-owner-group", "-b"]).arg(&tree).arg(&deb).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(deb).unwrap()
}

fn tools(version: &str, architecture: &str, text: &str) -> Vec<u8> {
    let control = format!(
        "Package: example-tools\nVersion: {version}\nArchitecture: {architecture}\n\
         Maintainer: Someone Else <else@example.org>\nDescription: tools of the site\n And more about them.\n"
    );
    foreign(&control, &[("usr/bin/tool", text), ("usr/lib/systemd/system/tool.service", "[Service]\n")])
}

fn with_site(packages: &[(&str, Vec<u8>)]) -> Model {
    let mut model = model(BOTH);
    let site = |(path, bytes): &(&str, Vec<u8>)| SitePackage {
        path: Path::new("packages").join(path),
        bytes: bytes[..].into(),
    };
    model.site_packages = packages.iter().map(site).collect();
    model
}

#[test]
fn the_sites_packages_are_published_as_they_are() {
    let mut repository = Repository::default();
    let bytes = tools("1:1.0-2+b1", "amd64", "1");
    let model = with_site(&[("tools.deb", bytes.clone())]);
    let build = repository.publish(&model, &[], NOW).unwrap();
    assert!(matches!(change(&build, "example-tools").what, What::Added { .. }));
    let record = repository.record("example-tools", "bookworm").clone();
    assert_eq!(record.filename, "pool/site/example-tools_1.1.0-2.b1_amd64.deb");
    assert_eq!((record.kind, record.architecture.as_str(), record.releases.len()), (PackageKind::Site, "amd64", 2));
    assert!(record.control.ends_with("Description: tools of the site\n And more about them."));
    assert_eq!(record.in_place, ["/usr/bin/tool", "/usr/lib/systemd/system/tool.service"]);
    assert_eq!(repository.pool[&record.filename], bytes);

    let build = repository.publish(&model, &[], NOW).unwrap();
    assert!(build.changes.iter().all(|change| !change.is_change()));
    let newer = with_site(&[("tools.deb", bytes), ("tools-2.deb", tools("1:2.0", "amd64", "2"))]);
    let build = repository.publish(&newer, &[], NOW).unwrap();
    assert_eq!(change(&build, "example-tools").to_string(), "example-tools 1:1.0-2+b1 → 1:2.0");
    assert_eq!(build.records.iter().map(|record| record.version.as_str()).collect::<Vec<_>>(), ["1:1.0-2+b1", "1:2.0"]);
    // Gone from packages/: gone from the index, without a tombstone.
    let build = repository.publish(&self::model(BOTH), &[], NOW).unwrap();
    assert!(build.records.is_empty());
    assert!(change(&build, "example-tools").to_string().contains("left packages/ and the index"));
}

#[test]
fn each_thing_wrong_with_a_site_package_has_its_code() {
    let good = || tools("1.0", "amd64", "1");
    let mut repository = Repository::default();
    let mut wrong = |packages: &[(&str, Vec<u8>)], plans: &[PackagePlan]| {
        refused(&mut repository, &with_site(packages), plans, NOW)
    };
    assert_eq!(wrong(&[("tools.deb", good()[..200].to_vec())], &[]), ["site-package-broken"]);
    assert_eq!(wrong(&[("tools.deb", b"#!/bin/sh\n".to_vec())], &[]), ["site-package-broken"]);
    let named = |name: &str, field: &str| {
        foreign(
            &format!(
                "Package: {name}\nVersion: 1.0\nArchitecture: all\nMaintainer: A <a@example.org>\n{field}Description: x\n"
            ),
            &[],
        )
    };
    assert_eq!(wrong(&[("x.deb", named("example-x", "Filename: pool/y\n"))], &[]), ["site-package-broken"]);
    assert_eq!(wrong(&[("x.deb", named("pg-role-x", ""))], &[]), ["site-package-name-taken"]);
    assert_eq!(wrong(&[("x.deb", named("pg-runtime", ""))], &[]), ["site-package-name-taken"]);
    let web = || role("pg-web", content("Web"));
    assert_eq!(wrong(&[("x.deb", named("pg-web", ""))], &[web()]), ["site-package-name-taken"]);
    assert_eq!(wrong(&[("tools.deb", tools("1.0", "arm64", "1"))], &[]), ["site-package-architecture"]);
    assert_eq!(wrong(&[("a.deb", good()), ("b.deb", good())], &[]), ["site-package-twice"]);
    let (plus, dot) = (tools("1.0+1", "amd64", "1"), tools("1.0.1", "amd64", "1"));
    assert_eq!(wrong(&[("a.deb", plus), ("b.deb", dot)], &[]), ["site-package-twice"]);
    assert_eq!(wrong(&[("other_1.0_amd64.deb", good())], &[]), ["site-package-misnamed"]);
    assert_eq!(wrong(&[("example-tools_1.0_all.deb", good())], &[]), ["site-package-misnamed"]);
    let mut unit = role("pg-role-web", content("Web"));
    unit.claims.push(Claim {
        path: MachinePath::parse("/lib/systemd/system/tool.service").unwrap(),
        kind: ClaimKind::InPlace,
        releases: ALL.iter().map(|name| Codename::parse(name).unwrap()).collect(),
        span: Span::new(FileId(0), 0..0),
    });
    assert_eq!(wrong(&[("tools.deb", good())], &[unit]), ["site-package-path-taken"]);
    // Several at once are all reported.
    let all = wrong(&[("a.deb", Vec::new()), ("b.deb", named("pg-role-x", "")), ("other_1.0_amd64.deb", good())], &[]);
    assert_eq!(all, ["site-package-broken", "site-package-name-taken", "site-package-misnamed"]);

    repository.publish(&with_site(&[("example-tools_1.0_amd64.deb", good())]), &[web()], NOW).unwrap();
    let other = with_site(&[("tools.deb", tools("1.0", "amd64", "other"))]);
    assert_eq!(refused(&mut repository, &other, &[web()], NOW), ["site-package-changed"]);
    // Also when it was away for a while, as long as the pool still has it.
    let record = repository.record("example-tools", "trixie").clone();
    repository.publish(&model(BOTH), &[web()], NOW).unwrap();
    repository.manifest.as_mut().unwrap().retained.push(debrole::repo::manifest::Retained {
        path: record.filename,
        size: record.size,
        sha256: record.sha256,
        until: NOW + DAY,
    });
    assert_eq!(refused(&mut repository, &other, &[web()], NOW), ["site-package-changed"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the tree does and wherever the clock jumps: no release's version of a name ever gets lower, versions
    /// rise with the release, and nothing moves that didn't change.
    #[test]
    fn versions_only_rise(steps in prop::collection::vec((0i64..4_000_000_000, 0u8..3, 0u8..3, any::<bool>()), 1..12)) {
        let model = model(BOTH);
        let mut repository = Repository::default();
        let mut last: BTreeMap<&str, String> = BTreeMap::new();
        for (time, old, new, there) in steps {
            let variants: &[(&[&str], DebContent)] =
                &[(&["bookworm"], content(&format!("Web {old}"))), (&["trixie"], content(&format!("Web {new}")))];
            let plans = match there {
                true => vec![plan("pg-role-web", PackageKind::Role, variants)],
                false => Vec::new(),
            };
            let first = repository.manifest.is_none();
            let build = repository.publish(&model, &plans, time).unwrap();
            let again = {
                let manifest = repository.manifest.as_ref();
                let input = Input { model: &model, plans: &plans, previous: manifest, published: &repository, time: 0, withdrawn: &[] };
                build::draft(input).unwrap().is_unchanged()
            };
            prop_assert!(again);
            if build.records.is_empty() {
                prop_assert!(first || last.is_empty());
                continue;
            }
            let now: Vec<String> = ALL.iter().map(|release| repository.version("pg-role-web", release).into()).collect();
            prop_assert!(debversion(&now[0]) <= debversion(&now[1]));
            for (release, version) in ALL.iter().zip(&now) {
                if let Some(before) = last.insert(release, version.clone()) {
                    prop_assert!(debversion(&before) <= debversion(version), "{release}: {before} then {version}");
                }
            }
        }
    }

    #[test]
    fn bases_are_ordered_as_dpkg_orders_them(a in (20_000_000u32..99_991_231, 1u32..1_000), b in (20_000_000u32..99_991_231, 1u32..1_000), near in any::<bool>()) {
        let a = Base { date: a.0, number: a.1 };
        let b = Base { date: if near { a.date } else { b.0 }, number: b.1 };
        prop_assert_eq!(a.cmp(&b), debversion(&a.to_string()).cmp(&debversion(&b.to_string())));
        prop_assert_eq!(Base::parse(&format!("{a}+deb12")), Some(a));
        let (old, new) = (format!("{a}+deb9"), format!("{a}+deb12"));
        prop_assert!(debversion(&old) < debversion(&new));
        prop_assert!(Base::next(a, Some(b)) >= a && Base::next(a, Some(b)) > b);
    }
}

fn debversion(text: &str) -> debversion::Version {
    text.parse().unwrap()
}

#[test]
fn dpkg_itself_orders_the_versions_so() {
    let rising = [
        "20250101.1+deb13",
        "20250102.1+deb12",
        "20250102.1+deb13",
        "20250102.2",
        "20250102.10",
        "20250102.10+deb9",
        "20250102.10+deb12",
        "20250103.1",
    ];
    for pair in rising.windows(2) {
        let status = Command::new("dpkg").args(["--compare-versions", pair[0], "lt", pair[1]]).status().unwrap();
        assert!(status.success(), "{pair:?}");
    }
}

/// Prints a digest over everything that a build makes, for [`the_same_bytes_everywhere`].
fn digest_of_everything() -> String {
    let mut repository = Repository::default();
    let model = with_site(&[]);
    let plans = |n: usize| -> Vec<PackagePlan> {
        (0..40)
            .map(|i| {
                let deb = with_file(content(&format!("Role {i}")), UNIT, &format!("{}", if i == 7 { n } else { 0 }));
                let deb = with_file(deb, &format!("/usr/share/pg/roles/r{i}/files/etc/x"), &"text ".repeat(i * 50));
                plan(
                    &format!("pg-role-r{i}"),
                    PackageKind::Role,
                    &[(&["bookworm"], deb.clone()), (&["trixie"], content("x"))],
                )
            })
            .collect()
    };
    let sorted = |n| {
        let mut plans = plans(n);
        plans.sort_by(|a, b| a.name.cmp(&b.name));
        plans
    };
    repository.publish(&model, &sorted(1), NOW).unwrap();
    repository.publish(&model, &sorted(2)[1..], NOW + DAY).unwrap();
    let manifest = serde_json::to_string(&repository.manifest).unwrap();
    let mut all: Vec<u8> = manifest.into_bytes();
    for (name, bytes) in &repository.pool {
        all.extend(name.bytes().chain(bytes.iter().copied()));
    }
    debrole::deb::sha256(&all)
}

const PRINT: &str = "DEBROLE_TEST_PRINT_DIGEST";

#[test]
fn the_same_bytes_everywhere() {
    if std::env::var_os(PRINT).is_some() {
        println!("digest {}", digest_of_everything());
        return;
    }
    let here = digest_of_everything();
    let directory = tempfile::tempdir().unwrap();
    for (threads, umask, locale, zone, home) in [
        ("1", "077", "C", "Pacific/Auckland", "/nonexistent"),
        ("2", "000", "tr_TR.UTF-8", "America/New_York", "/root"),
    ] {
        // Another second, in case a clock is looked at.
        std::thread::sleep(std::time::Duration::from_millis(1_050));
        let output = Command::new("sh")
            .args(["-c", "umask \"$0\"; exec \"$@\"", umask])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "build::the_same_bytes_everywhere", "--nocapture"])
            .current_dir(directory.path())
            .env(PRINT, "1")
            .envs([
                ("RAYON_NUM_THREADS", threads),
                ("LC_ALL", locale),
                ("TZ", zone),
                ("HOME", home),
                ("USER", "somebody"),
            ])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains(&format!("digest {here}")), "{threads} threads, umask {umask}: {text}");
    }
}

/// The .deb of a package as published for a release.
fn deb<'r>(repository: &'r Repository, name: &str, release: &str) -> &'r [u8] {
    &repository.pool[&repository.record(name, release).filename]
}

#[test]
fn a_path_of_another_role_on_the_earlier_release_is_replaced() {
    let model = model(BOTH);
    let unit = |summary: &str| with_file(content(summary), UNIT, "[Service]\n");
    let a = |deb: DebContent| plan("pg-role-a", PackageKind::Role, &[(&["bookworm"], deb)]);
    let b = |deb: DebContent| plan("pg-role-b", PackageKind::Role, &[(&["trixie"], deb)]);
    let mut repository = Repository::default();
    repository.publish(&model, &[a(unit("A")), b(unit("B"))], NOW).unwrap();
    assert!(repository.record("pg-role-b", "trixie").control.contains("\nReplaces: pg-role-a\n"));
    assert!(!repository.record("pg-role-a", "bookworm").control.contains("Replaces"), "nobody goes back");
    // A new version of the one is none of the other.
    let build = repository.publish(&model, &[a(unit("A2")), b(unit("B"))], NOW + DAY).unwrap();
    assert!(!change(&build, "pg-role-b").is_change());
    if !skip("dpkg", &[Need::Program("dpkg")]) {
        let dpkg = Dpkg::new();
        dpkg.run(&["-i"], &[deb(&repository, "pg-role-a", "bookworm")]).unwrap();
        dpkg.run(&["-i"], &[deb(&repository, "pg-role-b", "trixie")]).unwrap();
        assert_eq!(dpkg.owner(UNIT), "pg-role-b");
    }

    // The path moves from the one to the other, and to the later release, in one build.
    let mut repository = Repository::default();
    repository.publish(&model, &[a(unit("A")), b(content("B"))], NOW).unwrap();
    let moved = [a(content("A")), b(unit("B"))];
    repository.publish(&model, &moved, NOW + DAY).unwrap();
    let control = &repository.record("pg-role-b", "trixie").control;
    assert!(control.contains("\nReplaces: pg-role-a (<< 20261123.1)\n"), "{control}");
    let build = repository.publish(&model, &moved, NOW + 2 * DAY).unwrap();
    assert!(build.changes.iter().all(|change| !change.is_change()));
}

#[test]
fn a_path_that_was_let_go_of_earlier_is_replaced() {
    let site = with_site(&[("tools.deb", tools("1.0", "amd64", "1"))]);
    let model = model(BOTH);
    let tool = "/usr/lib/systemd/system/tool.service";
    let unit = |name: &str, path: &str| role(name, with_file(content(name), path, "[Service]\n"));
    let mut repository = Repository::default();
    repository.publish(&site, &[unit("pg-role-a", UNIT)], NOW).unwrap();
    let old = [deb(&repository, "example-tools", "trixie").to_vec(), deb(&repository, "pg-role-a", "trixie").to_vec()];
    // Both leave; others come for their paths when that is past.
    repository.publish(&model, &[role("pg-role-a", content("A"))], NOW + DAY).unwrap();
    repository.publish(&model, &[role("pg-role-a", content("A"))], NOW + 2 * DAY).unwrap();
    let taken = [role("pg-role-a", content("A")), unit("pg-role-b", tool), unit("pg-role-c", UNIT)];
    repository.publish(&model, &taken, NOW + 3 * DAY).unwrap();
    for (name, relation) in [("pg-role-b", "example-tools (<= 1.0)"), ("pg-role-c", "pg-role-a (<= 20261122.1)")] {
        let control = &repository.record(name, "trixie").control;
        assert!(control.contains(&format!("\nBreaks: {relation}\nReplaces: {relation}\n")), "{control}");
    }
    let build = repository.publish(&model, &taken, NOW + 4 * DAY).unwrap();
    assert!(build.changes.iter().all(|change| !change.is_change()));
    if !skip("dpkg", &[Need::Program("dpkg")]) {
        let dpkg = Dpkg::new();
        dpkg.run(&["-i", "--force-architecture"], &[&old[0], &old[1]]).unwrap();
        let new = ["pg-role-b", "pg-role-c", "pg-role-a"].map(|name| deb(&repository, name, "trixie"));
        dpkg.run(&["--unpack"], &new).unwrap();
        // What apt does with a package that is broken and has no successor.
        dpkg.run(&["--purge", "example-tools"], &[]).unwrap();
        dpkg.run(&["--configure", "-a"], &[]).unwrap();
        assert_eq!((dpkg.owner(tool), dpkg.owner(UNIT)), ("pg-role-b".into(), "pg-role-c".into()));
    }

    // In the same build as the site's package leaves.
    let mut repository = Repository::default();
    repository.publish(&site, &[], NOW).unwrap();
    repository.publish(&model, &[unit("pg-role-b", tool)], NOW + DAY).unwrap();
    let control = &repository.record("pg-role-b", "trixie").control;
    assert!(control.contains("\nReplaces: example-tools (<= 1.0)\n"), "{control}");
}

#[test]
fn a_site_package_never_goes_back() {
    let both = [("a.deb", tools("1.0", "amd64", "1")), ("b.deb", tools("2.0", "amd64", "2"))];
    let mut repository = Repository::default();
    repository.publish(&with_site(&both), &[], NOW).unwrap();
    let older = with_site(&both[..1]);
    assert_eq!(refused(&mut repository, &older, &[], NOW), ["site-package-older"]);
    repository.publish(&with_site(&both[1..]), &[], NOW).unwrap();
    // Nor after it had left.
    repository.publish(&model(BOTH), &[], NOW).unwrap();
    assert_eq!(refused(&mut repository, &older, &[], NOW), ["site-package-older"]);
    repository.publish(&with_site(&[("c.deb", tools("2.0+really1.0", "amd64", "1"))]), &[], NOW).unwrap();
}

#[test]
fn a_release_that_is_dropped_is_told_once() {
    let mut repository = Repository::default();
    repository.publish(&model(BOTH), &[role("pg-role-a", content("A"))], NOW).unwrap();
    let suites = &mut repository.manifest.as_mut().unwrap().suites;
    suites.extend(ALL.iter().map(|name| (Codename::parse(name).unwrap(), BTreeMap::new())));
    let told = |model: &Model| codes(Err(build::dropped_releases(model, repository.manifest.as_ref())));
    assert_eq!(told(&model(&BOTH[1..])), ["release-dropped"]);
    assert_eq!(told(&model(BOTH)), [""; 0]);
}
