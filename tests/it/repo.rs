//! Indexes and Release files, and an empty output that is filled from what is published.

use crate::fleet::{codename, open, package_set, publication, publish, silent, snapshot};
use crate::serve::serve;
use debrole::diagnostics::Diagnostic;
use debrole::names::Architecture;
use debrole::repo::fetch::Found;
use debrole::repo::index::Before;
use debrole::repo::manifest::{FileHash, PackageRecord};
use debrole::repo::publish::{Now, Published};
use debrole::repo::{Open, Repository, index, release};
use debrole::sign::Signer;
use debrole::sign::testing::EphemeralKey;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

const T: i64 = 1_793_000_000;

fn records() -> Vec<PackageRecord> {
    package_set(0, 3).into_iter().map(|(record, _)| record).collect()
}

#[test]
fn an_index_lists_what_the_suite_and_the_architecture_have() {
    let amd64 = Architecture::parse("amd64").unwrap();
    let mut all = records();
    all[4].architecture = "amd64".into();
    let text = index::packages(&all, &codename("bookworm"), &amd64);
    assert_eq!(text.matches("Package: ").count(), 4);
    assert!(text.contains("Version: 20261101.1+deb12\n") && !text.contains("+deb13"));
    assert!(text.contains("\nFilename: pool/pg-archive-keyring/pg-archive-keyring_20261101.1.deb12_all.deb\nSize: "));
    assert!(text.ends_with("\n\n"));
    let arm64 = Architecture::parse("arm64").unwrap();
    let text = index::packages(&all, &codename("bookworm"), &arm64);
    assert_eq!(text.matches("Package: ").count(), 3, "all, but not amd64");
}

#[test]
fn equal_indexes_are_compressed_once_and_known_ones_not_at_all() {
    let suites = [codename("bookworm"), codename("trixie")];
    let architectures = [Architecture::parse("amd64").unwrap(), Architecture::parse("arm64").unwrap()];
    let asked = AtomicUsize::new(0);
    let never = |_: &str| {
        asked.fetch_add(1, Ordering::Relaxed);
        None
    };
    let made = index::make(&records(), &suites, &architectures, Before { forms: &never, ..Before::NOTHING });
    assert_eq!(asked.load(Ordering::Relaxed), 2, "two suites differ, two architectures do not");
    assert_eq!(made.contents.len(), 6);
    let files = &made.suites[&suites[1]];
    assert_eq!(files.len(), 6);
    assert_eq!(files["main/binary-amd64/Packages.xz"], files["main/binary-arm64/Packages.xz"]);

    let known = |text: &str| -> Option<[FileHash; 2]> {
        made.suites.values().find_map(|files| {
            let text = files.iter().find(|(path, hash)| path.ends_with("Packages") && hash.sha256 == text)?;
            Some([files[&format!("{}.gz", text.0)].clone(), files[&format!("{}.xz", text.0)].clone()])
        })
    };
    let again = index::make(&records(), &suites, &architectures, Before { forms: &known, ..Before::NOTHING });
    assert_eq!(again.suites, made.suites);
    assert_eq!(again.contents.len(), 2, "only the texts themselves");
}

#[test]
fn compressed_indexes_are_what_other_programs_unpack() {
    let made =
        index::make(&records(), &[codename("bookworm")], &[Architecture::parse("amd64").unwrap()], Before::NOTHING);
    let files = &made.suites[&codename("bookworm")];
    let text = &made.contents[&files["main/binary-amd64/Packages"].sha256];
    let dir = tempfile::tempdir().unwrap();
    for (suffix, program) in [("gz", "gzip"), ("xz", "xz")] {
        let path = dir.path().join(format!("Packages.{suffix}"));
        std::fs::write(&path, &made.contents[&files[&format!("main/binary-amd64/Packages.{suffix}")].sha256]).unwrap();
        let output = std::process::Command::new(program).arg("-dc").arg(&path).output().unwrap();
        assert!(output.status.success());
        assert_eq!(output.stdout, text.as_ref());
    }
}

#[test]
fn a_release_file() {
    let key = EphemeralKey::new(None).unwrap();
    let dir = tempfile::tempdir().unwrap();
    publish(dir.path(), package_set(0, 1), &key.signer, Now::Supplied(T));
    let manifest = debrole::repo::published(dir.path()).unwrap().unwrap();
    let files = [("main/binary-amd64/Packages".to_owned(), FileHash { size: 7, sha256: "ab".repeat(32) })].into();
    let expected = format!(
        "Origin: Example Project\nLabel: Example fleet\nSuite: trixie\nCodename: trixie\n\
         Date: Mon, 26 Oct 2026 07:33:20 UTC\nValid-Until: Thu, 05 Nov 2026 07:33:20 UTC\nAcquire-By-Hash: yes\n\
         Architectures: amd64\nComponents: main\nDescription: Example fleet for Debian trixie\nSHA256:\n \
         {} {:>9} main/binary-amd64/Packages\n",
        "ab".repeat(32),
        7
    );
    assert_eq!(release::release(&manifest, &codename("trixie"), &files), expected);
}

// From here on: filling an empty output directory.

fn suites() -> Vec<debrole::names::Codename> {
    vec![codename("bookworm"), codename("trixie")]
}

fn fill(out: &Path, uri: &str, keys: &[u8]) -> Result<Found, Vec<Diagnostic>> {
    Repository::open(out, Open { keys: None, wait: false, events: &silent }).unwrap().fill(uri, keys, &suites())
}

/// What a client can see: everything but the lock, times of directories and links, and generations gone by.
fn visible(root: &Path) -> Vec<(String, String)> {
    snapshot(root)
        .into_iter()
        .filter(|(path, _)| path != ".lock")
        .map(|(path, line)| {
            let keep_time = line.starts_with("100") && !path.starts_with("by-hash") && !path.starts_with("pool");
            let line = if keep_time { line } else { line.split(' ').skip(3).collect() };
            (path, line)
        })
        .filter(|(path, _)| !path.starts_with("generations/1"))
        .collect()
}

#[test]
fn an_empty_output_continues_what_is_published() {
    let key = EphemeralKey::new(None).unwrap();
    let keys = key.signer.public_keys().unwrap();
    let first = tempfile::tempdir().unwrap();
    publish(first.path(), package_set(0, 3), &key.signer, Now::Supplied(T));
    publish(first.path(), package_set(1, 3), &key.signer, Now::Supplied(T + 60));

    let server = serve(first.path());
    for uri in [server.uri(), format!("{}/", server.uri()), format!("file://{}", first.path().display())] {
        let second = tempfile::tempdir().unwrap();
        let out = second.path().join("repo-out");
        // A set of 5 and what one change left in grace: one .deb and two suites' three index files.
        let found = fill(&out, &uri, &keys).unwrap_or_else(|e| panic!("{uri}: {e:#?}"));
        assert_eq!(found, Found::Generation { generation: 2, files: 6 + 12 });
        assert_eq!(visible(&out), visible(first.path()), "{uri}");
        // The same package set is nothing new there; a changed one is the next generation.
        let same = publish(&out, package_set(1, 3), &key.signer, Now::Supplied(T + 70));
        assert!(matches!(same, Published::NothingChanged { generation: 2, .. }), "{same:?}");
        let next = publish(&out, package_set(2, 3), &key.signer, Now::Supplied(T + 80));
        assert!(matches!(next, Published::Generation(g) if g.manifest.generation == 3 && g.new_files == 1));
    }
}

#[test]
fn what_can_be_wrong_with_what_is_published() {
    let key = EphemeralKey::new(None).unwrap();
    let keys = key.signer.public_keys().unwrap();
    let codes = |out: &Path, uri: &str, keys: &[u8]| {
        let result = fill(out, uri, keys);
        let errors = result.expect_err("it is refused");
        assert!(open(out).head().is_none(), "nothing was taken over");
        let leftovers: Vec<String> =
            snapshot(out).into_keys().filter(|p| p.contains("pool/") || p.contains("generations/")).collect();
        assert!(leftovers.is_empty(), "{leftovers:?}");
        errors.iter().map(|d| d.rule.code).collect::<Vec<_>>()
    };
    let out = tempfile::tempdir().unwrap();
    let out = out.path();

    // A server that answers, with nothing there: the first publish.
    let nothing = tempfile::tempdir().unwrap();
    let server = serve(nothing.path());
    assert_eq!(fill(out, &server.uri(), &keys).unwrap(), Found::Nothing);
    // No server.
    let closed = server.uri();
    drop(server);
    assert_eq!(codes(out, &closed, &keys), ["published-unreachable"]);
    // Somebody else's repository.
    let foreign = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(foreign.path().join("dists/trixie")).unwrap();
    std::fs::write(foreign.path().join("dists/trixie/InRelease"), "Origin: other\n").unwrap();
    let uri = format!("file:{}", foreign.path().display());
    assert_eq!(codes(out, &uri, &keys), ["published-foreign"]);

    let published = tempfile::tempdir().unwrap();
    let root = published.path();
    publish(root, package_set(0, 3), &key.signer, Now::Supplied(T));
    let uri = format!("file://{}", root.display());
    // Another key.
    let other = EphemeralKey::new(None).unwrap();
    assert_eq!(codes(out, &uri, &other.signer.public_keys().unwrap()), ["published-untrusted"]);
    // Each with what is there changed, then put back.
    let changed = |path: &str, contents: Option<Vec<u8>>| {
        let path = root.join(path);
        let before = std::fs::read(&path).unwrap();
        match contents {
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let found = codes(out, &uri, &keys);
        std::fs::write(&path, before).unwrap();
        found
    };
    let json = std::fs::read_to_string(root.join("generations/1/manifest.json")).unwrap();
    let lower = json.replace("20261101.1", "20261101.0").into_bytes();
    assert_eq!(changed("generations/1/manifest.json", Some(lower)), ["published-untrusted"]);
    assert_eq!(changed("generations/1/manifest.json.asc", None), ["published-untrusted"]);
    let deb = "pool/pg-role-r1/pg-role-r1_20261101.1_all.deb";
    assert_eq!(changed(deb, None), ["published-incomplete"]);
    assert_eq!(changed(deb, Some(b"other bytes".to_vec())), ["published-incomplete"]);
    assert_eq!(changed(deb, Some(vec![0; 1 << 20])), ["published-incomplete"]);
    assert_eq!(changed("generations/1/trixie/InRelease", None), ["published-incomplete"]);
    let other_suite = std::fs::read(root.join("generations/1/bookworm/InRelease")).unwrap();
    assert_eq!(changed("generations/1/trixie/InRelease", Some(other_suite)), ["published-incomplete"]);
    // And whole again it is taken.
    assert!(matches!(fill(out, &uri, &keys), Ok(Found::Generation { generation: 1, .. })));
    let mut repository = open(out);
    let next = publication(out, package_set(1, 3), &key.signer, Now::Supplied(T + 1));
    assert!(next.publish(&mut repository).is_ok());
}
