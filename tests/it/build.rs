//! The build stage: versions, reuse, tombstones, moves, changelogs, the site's packages.

use debrole::build::{self, Build, Change, Input, Published, What, version::Base};
use debrole::deb::read::{self, Found};
use debrole::diagnostics::Diagnostic;
use debrole::model::{Fleet, Model, Release};
use debrole::names::{Codename, MachinePath, PackageName, Prefix};
use debrole::plan::{DebContent, Entry, PackageKind, PackagePlan, Variant};
use debrole::repo::manifest::{FORMAT, Manifest, PackageRecord};
use debrole::source::{FileId, Span, Spanned};
use std::collections::BTreeMap;
use std::io::Read;
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
                })
                .collect(),
            valid_for: 864_000,
            key: None,
            values: BTreeMap::new(),
            host_values: BTreeMap::new(),
            span,
        },
        roles: BTreeMap::new(),
        hosts: BTreeMap::new(),
        site_packages: Vec::new(),
    }
}

pub fn content(summary: &str) -> DebContent {
    DebContent {
        summary: summary.into(),
        description: "What it is for.\n\nAnd what else.".into(),
        homepage: Some("https://example.org".into()),
        relations: BTreeMap::new(),
        fields: BTreeMap::new(),
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
                deb: deb.clone(),
            })
            .collect(),
        claims: Vec::new(),
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
        let input = Input { model, plans, previous: self.manifest.as_ref(), published: self, time };
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
