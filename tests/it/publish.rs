//! Publishing: generations, what a publish keeps, refuses and leaves alone.

use crate::fleet::{codename, open, package, package_set, publication, publish, settings, snapshot};
use debrole::diagnostics::{Diagnostic, rules};
use debrole::plan::PackageKind;
use debrole::repo::gate::{Gate, GateReport, StagedTree};
use debrole::repo::publish::{Now, Published, Reason};
use debrole::repo::{Event, Open, Repository};
use debrole::sign::testing::EphemeralKey;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;

const DAY: i64 = 86_400;
/// A time in the past: a Monday.
const T: i64 = 1_793_000_000;

fn generation(published: Published) -> debrole::repo::publish::NewGeneration {
    match published {
        Published::Generation(generation) => *generation,
        Published::NothingChanged { .. } => panic!("nothing was published"),
    }
}

fn codes(errors: &[Diagnostic]) -> Vec<&'static str> {
    errors.iter().map(|d| d.rule.code).collect()
}

#[test]
fn the_first_publish_and_the_next() {
    let key = EphemeralKey::new(None).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");

    let first = generation(publish(&out, package_set(0, 3), &key.signer, Now::Supplied(T)));
    assert_eq!((first.reason, first.manifest.generation, first.manifest.date), (Reason::First, 1, T));
    assert_eq!(first.new_files, 5);
    assert!(first.warnings.is_empty());
    assert_eq!(out.join("dists").read_link().unwrap(), Path::new("generations/1"));
    let release = std::fs::read_to_string(out.join("dists/bookworm/Release")).unwrap();
    assert!(
        release.starts_with("Origin: Example Project\nLabel: Example fleet\nSuite: bookworm\nCodename: bookworm\n")
    );
    assert!(release.ends_with("Packages.xz\n") && !release.lines().any(|l| l.ends_with(' ')), "{release}");

    let second = generation(publish(&out, package_set(1, 3), &key.signer, Now::Supplied(T + 60)));
    assert_eq!((second.reason, second.manifest.generation, second.new_files), (Reason::Changed, 2, 1));
    let packages = std::fs::read_to_string(out.join("dists/trixie/main/binary-amd64/Packages")).unwrap();
    assert_eq!(packages.matches("\nVersion: 20261101.2\n").count(), 1, "one role has the new version");
    // Everything of the first is still there for its clients.
    for (suite, files) in &first.manifest.suites {
        for (path, hash) in files {
            let folder = path.rsplit_once('/').unwrap().0;
            let kept = out.join(format!("dists/{suite}/{folder}/by-hash/SHA256/{}", hash.sha256));
            assert_eq!(debrole::repo::store::sha256(&std::fs::read(&kept).unwrap()), hash.sha256);
        }
    }
    for record in &first.manifest.packages {
        assert!(out.join(&record.filename).exists());
    }
    for release in ["bookworm", "trixie"] {
        let stable = std::fs::read(out.join(format!("pg-archive-keyring-{release}.deb"))).unwrap();
        let record = second
            .manifest
            .packages
            .iter()
            .find(|r| r.kind == PackageKind::Keyring && r.releases == [codename(release)]);
        assert_eq!(debrole::repo::store::sha256(&stable), record.unwrap().sha256);
    }
    assert!(!out.join(".unfinished").exists());
}

#[test]
fn nothing_changed_writes_no_byte() {
    let key = EphemeralKey::new(None).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path();
    publish(out, package_set(0, 3), &key.signer, Now::Supplied(T));
    let before = snapshot(out);
    let again = publish(out, package_set(0, 3), &key.signer, Now::Supplied(T + DAY - 1));
    assert!(matches!(again, Published::NothingChanged { generation: 1, date: T, .. }), "{again:?}");
    assert_eq!(snapshot(out), before);
}

#[test]
fn an_old_signature_is_made_anew_and_so_on_request() {
    let key = EphemeralKey::new(None).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path();
    publish(out, package_set(0, 3), &key.signer, Now::Supplied(T));
    let packages = std::fs::read(out.join("dists/bookworm/main/binary-amd64/Packages.xz")).unwrap();
    let anew = generation(publish(out, package_set(0, 3), &key.signer, Now::Supplied(T + DAY)));
    assert_eq!((anew.reason, anew.manifest.generation, anew.new_files), (Reason::SignedAnew, 2, 0));
    assert_eq!(anew.manifest.valid_until, T + DAY + settings().valid_for);
    assert_eq!(std::fs::read(out.join("dists/bookworm/main/binary-amd64/Packages.xz")).unwrap(), packages);

    let mut repository = open(out);
    let mut asked = publication(out, package_set(0, 3), &key.signer, Now::Supplied(T + DAY + 10));
    asked.publication.refresh = true;
    assert_eq!(generation(asked.publish(&mut repository).unwrap()).reason, Reason::SignedAnew);
}

#[test]
fn the_same_inputs_make_the_same_bytes() {
    let key = EphemeralKey::new(Some(T)).unwrap();
    let run = |threads: usize, reversed: bool| {
        let dir = tempfile::tempdir().unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            for step in 0..3 {
                let mut set = package_set(step, 4);
                if reversed {
                    set.reverse();
                }
                publish(dir.path(), set, &key.signer, Now::Supplied(T + i64::from(step)));
            }
        });
        let mut tree = snapshot(dir.path());
        tree.remove(".lock");
        // Directories and symlinks have the time at which they were made; everything else has the generation's.
        for line in tree.values_mut().filter(|line| !line.starts_with("100")) {
            *line = line.split(' ').skip(3).collect();
        }
        tree
    };
    let first = run(1, false);
    assert!(first.len() > 50);
    let second = run(4, true);
    let differ: Vec<_> = first.iter().filter(|(path, line)| second.get(*path) != Some(line)).collect();
    assert!(differ.is_empty() && first.len() == second.len(), "signatures included: {differ:#?}");
}

#[test]
fn what_is_out_of_grace_goes() {
    let key = EphemeralKey::new(None).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path();
    let first = generation(publish(out, package_set(0, 3), &key.signer, Now::Supplied(T))).manifest;
    let second = generation(publish(out, package_set(1, 3), &key.signer, Now::Supplied(T + 100))).manifest;
    let replaced = first.packages.iter().find(|r| !second.packages.contains(r)).unwrap();
    let old_index = &first.suites[&codename("bookworm")]["main/binary-amd64/Packages.gz"].sha256;
    let old_index = out.join("by-hash/SHA256").join(old_index);

    let mut time = T + 100 + 72 * 3600 - 1;
    publish(out, package_set(2, 3), &key.signer, Now::Supplied(time));
    assert!(old_index.exists() && out.join("generations/1").exists(), "one second before the end of the grace");
    time += 2;
    publish(out, package_set(3, 3), &key.signer, Now::Supplied(time));
    assert!(!old_index.exists() && !out.join("generations/1").exists());
    assert!(out.join(&replaced.filename).exists(), "the pool's grace is longer");

    publish(out, package_set(4, 3), &key.signer, Now::Supplied(T + 100 + 14 * DAY - 1));
    assert!(out.join(&replaced.filename).exists());
    let last = generation(publish(out, package_set(5, 3), &key.signer, Now::Supplied(T + 100 + 14 * DAY + 1))).manifest;
    assert!(!out.join(&replaced.filename).exists());
    assert!(last.retained.iter().all(|retained| retained.until > last.date));
    // Nothing lies about that no manifest names.
    let needed = debrole::repo::collect::References::of(Some(&last));
    let there: BTreeSet<String> =
        snapshot(out).into_keys().filter(|path| path.starts_with("pool/") && path.ends_with(".deb")).collect();
    assert_eq!(there, needed.pool);
}

#[test]
fn an_index_that_comes_back_is_newer_for_http() {
    use std::os::unix::fs::MetadataExt;
    let key = EphemeralKey::new(None).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path();
    let packages = out.join("dists/bookworm/main/binary-amd64/Packages");
    let mut times = Vec::new();
    for (i, step) in [0, 1, 0].into_iter().enumerate() {
        publish(out, package_set(step, 3), &key.signer, Now::Supplied(T + 1000 * i as i64));
        times.push(std::fs::metadata(&packages).unwrap().mtime());
    }
    assert_eq!(times, [T, T + 1000, T + 2000]);
}

#[test]
fn the_clock() {
    let key = EphemeralKey::new(None).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path();
    publish(out, package_set(0, 3), &key.signer, Now::Supplied(T));
    let before = snapshot(out);
    let behind =
        publication(out, package_set(1, 3), &key.signer, Now::Supplied(T - 6)).publish(&mut open(out)).unwrap_err();
    assert_eq!(codes(&behind), ["clock-behind"]);
    assert_eq!(snapshot(out), before);
    // A few seconds are made up for: the date is the next that clients take.
    let next = generation(publish(out, package_set(1, 3), &key.signer, Now::Supplied(T - 5)));
    assert_eq!(next.manifest.date, T + 1);

    // By the machine's clock nothing is dated in the future: the second of two waits.
    let now = || jiff::Timestamp::now().as_second();
    let third = generation(publish(out, package_set(2, 3), &key.signer, Now::Clock(now())));
    let fourth = generation(publish(out, package_set(3, 3), &key.signer, Now::Clock(now())));
    assert!(fourth.manifest.date > third.manifest.date);
    assert!(fourth.manifest.date <= now());
}

#[test]
fn frozen_fields_and_republished_versions_are_refused() {
    let key = EphemeralKey::new(None).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path();
    publish(out, package_set(0, 3), &key.signer, Now::Supplied(T));
    let before = snapshot(out);

    let mut changed = publication(out, package_set(1, 3), &key.signer, Now::Supplied(T + 10)).publication;
    changed.settings.origin = "Other".into();
    changed.settings.label = "Other".into();
    let mut set = package_set(1, 3);
    set[2] = package("pg-role-r0", "20261101.1", &["bookworm"], PackageKind::Role, "other contents, same version");
    changed.packages = set.iter().map(|(record, _)| record.clone()).collect();
    let refused = open(out).publish(changed).unwrap_err();
    assert_eq!(codes(&refused), ["origin-changed", "label-changed", "version-republished"]);
    assert_eq!(snapshot(out), before);
}

#[test]
fn a_site_package_that_comes_twice_is_refused() {
    let key = EphemeralKey::new(None).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut set = package_set(0, 2);
    set.push(package("tool", "1.0", &["bookworm"], PackageKind::Site, "one"));
    set.push(package("tool", "1.0", &["trixie"], PackageKind::Site, "two"));
    let refused =
        open(dir.path()).publish(publication(dir.path(), set, &key.signer, Now::Supplied(T)).publication).unwrap_err();
    assert_eq!(codes(&refused), ["version-republished"]);
    assert!(!dir.path().join("dists").exists() && !dir.path().join("pool").exists());
}

/// Says no, or yes, and writes down what it saw.
struct Judge {
    accepts: bool,
    seen: Mutex<Vec<String>>,
}

impl Gate for Judge {
    fn accept(&self, staged: &StagedTree<'_>) -> Result<GateReport, Vec<Diagnostic>> {
        let new = std::fs::read_to_string(staged.dists.join("bookworm/main/binary-amd64/Packages")).unwrap();
        let pool = staged.manifest.packages.iter().all(|record| staged.root.join(&record.filename).exists());
        let live = staged.root.join("dists").read_link().map_or("none".into(), |t| t.display().to_string());
        self.seen
            .lock()
            .unwrap()
            .push(format!("{} packages, pool whole: {pool}, live: {live}", new.matches("Package: ").count()));
        if self.accepts {
            Ok(GateReport { checked: vec!["all of it".into()], ..GateReport::default() })
        } else {
            Err(vec![Diagnostic::new(&rules::verification_failed::RULE, "no")])
        }
    }
}

#[test]
fn the_gate_decides_between_staging_and_commit() {
    let key = EphemeralKey::new(None).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path();
    publish(out, package_set(0, 3), &key.signer, Now::Supplied(T));
    let before = snapshot(out);

    let mut refusing = publication(out, package_set(1, 3), &key.signer, Now::Supplied(T + 10));
    let no = Judge { accepts: false, seen: Mutex::default() };
    refusing.publication.gate = Some(&no);
    assert_eq!(codes(&refusing.publish(&mut open(out)).unwrap_err()), ["verification-failed"]);
    assert_eq!(*no.seen.lock().unwrap(), ["4 packages, pool whole: true, live: generations/1"]);
    let files = |tree: std::collections::BTreeMap<String, String>| {
        tree.into_iter().filter(|(_, line)| !line.starts_with("4")).collect::<Vec<_>>()
    };
    assert_eq!(files(snapshot(out)), files(before), "what was staged is gone again");

    let mut accepted = publication(out, package_set(1, 3), &key.signer, Now::Supplied(T + 10));
    let yes = Judge { accepts: true, seen: Mutex::default() };
    accepted.publication.gate = Some(&yes);
    let report = generation(accepted.publish(&mut open(out)).unwrap()).gate.unwrap();
    assert_eq!(report.checked, ["all of it"]);
    assert_eq!(out.join("dists").read_link().unwrap(), Path::new("generations/2"));
}

#[test]
fn one_build_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path();
    let first = open(out);
    let held = Repository::open(out, Open { keys: None, wait: false, events: &|_| {} }).unwrap_err();
    assert_eq!(codes(&held), ["lock-held"]);
    assert!(held[0].message.contains(&format!("process {}", std::process::id())), "{}", held[0].message);

    let events: Mutex<Vec<Event>> = Mutex::default();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            Repository::open(out, Open { keys: None, wait: true, events: &|event| events.lock().unwrap().push(event) })
                .map(drop)
        });
        while events.lock().unwrap().is_empty() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        drop(first);
        waiting.join().unwrap().unwrap();
    });
    assert!(matches!(&events.lock().unwrap()[..], [Event::Waiting { holder }] if holder.starts_with("process ")));
}

#[test]
fn other_peoples_directories_and_damage_are_told() {
    let key = EphemeralKey::new(None).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let foreign = dir.path().join("foreign");
    std::fs::create_dir_all(foreign.join("dists/stable")).unwrap();
    let try_open = |out: &Path| Repository::open(out, Open { keys: None, wait: false, events: &|_| {} }).map(drop);
    assert_eq!(codes(&try_open(&foreign).unwrap_err()), ["not-our-repository"]);

    let out = dir.path().join("out");
    let manifest = generation(publish(&out, package_set(0, 3), &key.signer, Now::Supplied(T))).manifest;
    assert!(try_open(&out).is_ok());
    let victim = out.join(&manifest.packages[0].filename);
    let bytes = std::fs::read(&victim).unwrap();
    std::fs::remove_file(&victim).unwrap();
    assert_eq!(codes(&try_open(&out).unwrap_err()), ["repository-damaged"]);
    std::fs::write(&victim, bytes).unwrap();
    assert!(try_open(&out).is_ok());

    let json = out.join("generations/1/manifest.json");
    let text = std::fs::read_to_string(&json).unwrap();
    std::fs::write(&json, text.replace("\"format\":1", "\"format\":2")).unwrap();
    assert_eq!(codes(&try_open(&out).unwrap_err()), ["manifest-too-new"]);
    std::fs::write(&json, &text[..text.len() / 2]).unwrap();
    assert_eq!(codes(&try_open(&out).unwrap_err()), ["repository-damaged"]);
}

#[test]
fn an_output_directory_that_can_not_be_made() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let options = || Open { keys: None, wait: false, events: &crate::fleet::silent };
    let refused = Repository::open(&dir.path().join("file/out"), options()).map(|_| ()).unwrap_err();
    assert_eq!(codes(&refused), ["repository-unwritable"]);
    assert!(Repository::open(&dir.path().join("out"), options()).is_ok());
}

#[test]
fn what_lies_where_ours_would_be_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let options = || Open { keys: None, wait: false, events: &|_| {} };
    for name in ["pool/x/thesis.deb", "generations/5/Release", "by-hash/SHA256/x"] {
        let out = dir.path().join(name.replace('/', "-"));
        let file = out.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "mine").unwrap();
        let refused = Repository::open(&out, options()).map(drop).unwrap_err();
        assert_eq!(refused[0].rule.code, "not-our-repository");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
        std::fs::remove_file(&file).unwrap();
        assert!(Repository::open(&out, options()).is_ok(), "empty directories are left by a first publish that failed");
    }
}

#[test]
fn a_mark_that_is_not_ours_gives_no_leave_to_clean_up() {
    let options = || Open { keys: None, wait: false, events: &|_| {} };
    for (kind, text) in [("empty", ""), ("text", "half a download"), ("folder", "")] {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path();
        match kind {
            "folder" => std::fs::create_dir(out.join(".unfinished")).unwrap(),
            _ => std::fs::write(out.join(".unfinished"), text).unwrap(),
        }
        for file in ["pool/x/thesis.deb", "by-hash/SHA256/x", ".tmp-notes"] {
            let path = out.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "mine").unwrap();
        }
        let before = snapshot(out);
        let refused = Repository::open(out, options()).map(drop).unwrap_err();
        assert_eq!(codes(&refused), ["not-our-repository"], "{kind}");
        let mut after = snapshot(out);
        after.remove(".lock");
        assert_eq!(after, before, "{kind}");
    }
}

#[test]
fn the_first_publish_that_was_cut_short_is_cleaned_up() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path();
    drop(open(out));
    debrole::repo::repair::begin(out).unwrap();
    std::fs::create_dir_all(out.join("pool/x")).unwrap();
    std::fs::write(out.join("pool/x/x_1_all.deb"), "half").unwrap();
    drop(open(out));
    assert!(!out.join("pool/x/x_1_all.deb").exists() && !out.join(".unfinished").exists());
}
