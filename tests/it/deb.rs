//! The deb stage: bytes that dpkg, lintian and debpkg take, and the same bytes every time.

use crate::build::{content, with_file};
use debrole::deb::control::extended_description;
use debrole::deb::read::{self, Found};
use debrole::deb::{Deb, Package, Stamp};
use debrole::names::{MachinePath, PackageName};
use debrole::plan::{ControlMember, DebContent, Entry};
use debrole::relation::{Comparison, Possibility, Relation, RelationField};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const MAINTAINER: &str = "Example Sysadmins <sysadmins@example.org>";
const TIME: i64 = 1_795_348_800;
const COPYRIGHT: &str = "Copyright: 2026 the Example Project\n\nLicense: for use on its machines.\n";

fn name(text: &str) -> PackageName {
    PackageName::parse(text).unwrap()
}

fn changelog(package: &PackageName) -> String {
    let head = debrole::build::changelog::Head {
        name: package,
        version: "20261122.1",
        releases: &[debrole::names::Codename::parse("bookworm").unwrap()],
        maintainer: MAINTAINER,
        time: TIME,
    };
    debrole::build::changelog::write(head, &["First version.".into()], "")
}

fn write(package: &str, content: &DebContent) -> Result<Deb, debrole::deb::Unwritable> {
    write_moved(package, content, &[])
}

fn write_moved(package: &str, content: &DebContent, moved: &[Relation]) -> Result<Deb, debrole::deb::Unwritable> {
    let name = name(package);
    let package = Package { name: &name, maintainer: MAINTAINER, content };
    let hash = package.content_hash()?;
    let changelog = changelog(&name);
    package.write(&Stamp {
        version: "20261122.1",
        content_hash: &hash,
        moved_from: moved,
        changelog: &changelog,
        copyright: COPYRIGHT,
        time: TIME,
    })
}

fn on(text: &str) -> Relation {
    Relation::on(name(text))
}

/// A package with everything that a package can have.
fn full() -> DebContent {
    let mut full = content("public web front end of the Example Project");
    full.description = "Serves the public web pages.\n\nWhat it sets up:\n - nginx behind varnish\n - a timer".into();
    full.relations = BTreeMap::from([
        (
            RelationField::Depends,
            vec![on("pg-runtime"), Relation(vec![on("nginx").0[0].clone(), on("apache2").0[0].clone()])],
        ),
        (RelationField::Breaks, vec![on("pg-role-old")]),
        (RelationField::Provides, vec![on("pg-web")]),
    ]);
    full.fields = &[("Multi-Arch", "foreign"), ("X-Fleet", "example")];
    full = with_file(full, "/usr/share/pg/roles/web/files/etc/nginx/conf.d/x.conf", "server {}\n");
    full = with_file(full, "/usr/lib/systemd/system/pg-report.service", "[Service]\nExecStart=/bin/true\n");
    let at = |text: &str| MachinePath::parse(text).unwrap();
    full.entries.insert(at("/usr/share/pg/current"), Entry::Symlink { target: "roles/web".into() });
    full.entries.insert(at("/usr/share/pg/private"), Entry::Directory { mode: 0o750 });
    let script = "#!/bin/sh\nset -e\ncase \"$1\" in\nconfigure)\n\tdpkg-trigger --no-await pg-apply\n\t;;\nesac\n";
    full.scripts = BTreeMap::from([
        (ControlMember::Postinst, script.into()),
        (ControlMember::Triggers, "activate-noawait pg-apply\n".into()),
    ]);
    full
}

fn save(deb: &Deb, directory: &Path) -> std::path::PathBuf {
    let path = directory.join("p_20261122.1_all.deb");
    std::fs::write(&path, &deb.bytes).unwrap();
    path
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output =
        Command::new(program).args(arguments).env("LC_ALL", "C").output().unwrap_or_else(|e| panic!("{program}: {e}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {text}");
    text
}

#[test]
fn the_control_file_has_dpkgs_fields_in_dpkgs_order() {
    let earlier =
        Possibility { version: Some((Comparison::Earlier, "20261122.1".into())), ..on("pg-role-db").0[0].clone() };
    let deb = write_moved("pg-role-web", &full(), &[Relation(vec![earlier])]).unwrap();
    let hash = deb.control.rsplit_once(' ').unwrap().1.to_string();
    assert_eq!(
        deb.control.replace(&hash, "HASH"),
        "Package: pg-role-web\n\
         Version: 20261122.1\n\
         Architecture: all\n\
         Maintainer: Example Sysadmins <sysadmins@example.org>\n\
         Installed-Size: 20\n\
         Depends: pg-runtime, nginx | apache2\n\
         Breaks: pg-role-old, pg-role-db (<< 20261122.1)\n\
         Replaces: pg-role-db (<< 20261122.1)\n\
         Provides: pg-web\n\
         Section: admin\n\
         Priority: optional\n\
         Multi-Arch: foreign\n\
         Homepage: https://example.org\n\
         Description: public web front end of the Example Project\n\
         \x20Serves the public web pages.\n\
         \x20.\n\
         \x20What it sets up:\n\
         \x20 - nginx behind varnish\n\
         \x20 - a timer\n\
         X-Fleet: example\n\
         Debrole-Moved-From: pg-role-db (<< 20261122.1)\n\
         Debrole-Content: HASH"
    );
    // Generated relations, version and changelog are not in the hash; anything else is.
    assert_eq!(hash, write("pg-role-web", &full()).unwrap().control.rsplit_once(' ').unwrap().1);
    let mut other = full();
    other.relations.remove(&RelationField::Provides);
    assert_ne!(hash, write("pg-role-web", &other).unwrap().control.rsplit_once(' ').unwrap().1);
    assert_ne!(hash, write("pg-role-web2", &full()).unwrap().control.rsplit_once(' ').unwrap().1);
}

#[test]
fn dpkg_and_debpkg_read_it_back() {
    let deb = write("pg-role-web", &full()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = save(&deb, directory.path());
    let path = path.to_str().unwrap();
    let info = run("dpkg-deb", &["--field", path]);
    assert_eq!(info.trim_end(), deb.control);

    let tree = directory.path().join("tree");
    run("dpkg-deb", &["-R", path, tree.to_str().unwrap()]);
    let text = |at: &str| std::fs::read_to_string(tree.join(at)).unwrap();
    assert_eq!(text("usr/lib/systemd/system/pg-report.service"), "[Service]\nExecStart=/bin/true\n");
    assert_eq!(text("DEBIAN/postinst"), full().scripts[&ControlMember::Postinst]);
    assert_eq!(std::fs::read_link(tree.join("usr/share/pg/current")).unwrap(), Path::new("roles/web"));
    assert!(tree.join("usr/share/doc/pg-role-web/changelog.gz").is_file());
    // md5sums as md5sum(1) checks them, and every regular file is in it.
    let check = Command::new("md5sum").args(["-c", "DEBIAN/md5sums"]).current_dir(&tree).output().unwrap();
    assert!(check.status.success());
    assert_eq!(text("DEBIAN/md5sums").lines().count(), 4);

    let listing = run("dpkg-deb", &["-c", path]);
    let names: Vec<&str> = listing.lines().map(|line| line.split_whitespace().nth(5).unwrap()).collect();
    assert!(names.is_sorted(), "{listing}");
    assert_eq!(names[..3], ["./", "./usr/", "./usr/lib/"]);
    assert!(listing.lines().all(|line| line.contains(" root/root ")));
    assert!(listing.contains("drwxr-x--- root/root         0 2026-11-22"));

    let mut package = debpkg::DebPkg::parse(&deb.bytes[..]).unwrap();
    let control = debpkg::Control::extract(package.control().unwrap()).unwrap();
    assert_eq!((control.name(), control.version()), ("pg-role-web", "20261122.1"));
    let own = read::read(&deb.bytes, |_| true).unwrap();
    assert_eq!(own.control, deb.control);
    assert_eq!(own.entries["/usr/share/pg/private"], Found::Directory { mode: 0o750 });
}

/// What a control file looks like to dpkg when every line of it is legal.
fn lines_are_legal(control: &str) {
    for line in control.lines() {
        assert!(!line.trim().is_empty(), "an empty line ends the stanza: {control:?}");
        assert!(!line.starts_with(" .") || line == " .", "reserved (Debian Policy 5.6.13): {line:?}");
    }
}

#[test]
fn descriptions_are_filled_and_marked_up() {
    let text = "One paragraph that is long enough to need more than a single line of the control file, and then some.\n\
                It goes on.\n\n\n.hidden starts with a full stop, as does a very-long-word-\
                that-has-no-place-to-break-it-at-but-is-followed-by .another\n\n* a list\n  with more\n\tand a tab\n.\n\n";
    let expected = [
        " One paragraph that is long enough to need more than a single line of the",
        " control file, and then some. It goes on.",
        " .",
        "  .hidden starts with a full stop, as does a",
        " very-long-word-that-has-no-place-to-break-it-at-but-is-followed-by .another",
        " .",
        "  * a list",
        "   with more",
        "  and a tab",
        "  .",
        "",
    ];
    assert_eq!(extended_description(text), expected.join("\n"));
    assert_eq!(extended_description(""), "");
    assert_eq!(extended_description(" \n\n\t\n"), "");
}

#[test]
fn what_would_break_a_control_file_is_refused() {
    let refused = |change: &dyn Fn(&mut DebContent)| {
        let mut content = content("web front end");
        change(&mut content);
        write("pg-role-web", &content).unwrap_err().to_string()
    };
    let line = "is one line of text";
    assert!(refused(&|c| c.summary = "web\nEssential: yes".into()).contains(line));
    assert!(refused(&|c| c.summary = "web\rEssential: yes".into()).contains(line));
    assert!(refused(&|c| c.summary = "web\u{2028}Essential: yes".into()).contains(line));
    assert!(refused(&|c| c.summary = " ".into()).contains("empty"));
    assert!(refused(&|c| c.homepage = Some("https://a\n\nPackage: b".into())).contains(line));
    assert!(refused(&|c| c.fields = &[("X-A", "b\n c")]).contains(line));
    assert!(refused(&|c| c.fields = &[("X A", "b")]).contains("name of a control field"));
    assert!(refused(&|c| c.fields = &[("-A", "b")]).contains("name of a control field"));
    assert!(refused(&|c| c.fields = &[("version", "2")]).contains("can be added"));
    assert!(refused(&|c| c.fields = &[("Depends", "x")]).contains("can be added"));
    let version = |text: &str| {
        let text = text.to_string();
        move |c: &mut DebContent| {
            let possibility = Possibility { version: Some((Comparison::Later, text.clone())), ..on("a1").0[0].clone() };
            c.relations.insert(RelationField::Depends, vec![Relation(vec![possibility])]);
        }
    };
    assert!(refused(&version("1)\nEssential: yes")).contains(line));
    let at = |text: &str| MachinePath::parse(text).unwrap();
    assert!(
        refused(&|c| {
            c.entries.insert(at("/usr/x"), Entry::Symlink { target: "y".into() });
            c.entries.insert(at("/usr/x/y"), Entry::Directory { mode: 0o755 });
        })
        .contains("/usr/x is a file or link, but /usr/x/y lies below it")
    );
    assert!(
        refused(&|c| drop(c.entries.insert(at("/usr/x"), Entry::Symlink { target: "a\0b".into() })))
            .contains("null byte")
    );
    // The same with nothing wrong in it.
    write("pg-role-web", &content("web front end: Essential: yes")).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_description_gets_out_of_its_field(text in "([a-zA-Z:.* -]{0,30}[\n\r\t .:\u{b}\u{85}\u{2028}é-]{0,3}){0,12}") {
        let mut package = content("web");
        package.description = text;
        let deb = write("pg-role-web", &package).unwrap();
        lines_are_legal(&deb.control);
        let stanza = debrole::deb::stanza::Stanza::parse(&deb.control).unwrap();
        let names: Vec<&str> = stanza.iter().map(|(name, _)| name).collect();
        prop_assert_eq!(names, [
            "Package", "Version", "Architecture", "Maintainer", "Installed-Size", "Section", "Priority", "Homepage",
            "Description", "Debrole-Content",
        ]);
        for line in deb.control.lines().filter(|line| line.starts_with(' ') && !line.starts_with("  ")) {
            // Longer only where it can't be helped: one word, or words that may not begin a line.
            let bound = line.split_whitespace().skip(1).all(|word| word.starts_with('.'));
            prop_assert!(line.chars().count() < 80 || bound, "{line:?}");
        }
        // No word is lost.
        let words = |text: &str| text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty() && *w != ".").map(String::from).collect::<Vec<_>>();
        let (_, value) = stanza.iter().find(|(name, _)| *name == "Description").unwrap();
        prop_assert_eq!(words(value)[1..].to_vec(), words(&package.description));
    }

    #[test]
    fn broken_archives_are_refused_and_never_panic(at in any::<prop::sample::Index>(), with in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = write("pg-role-web", &full()).unwrap().bytes;
        let whole = bytes.len();
        let at = at.index(whole);
        match cut {
            true => bytes.truncate(at),
            false => bytes[at] ^= with,
        }
        if let Ok(contents) = read::read(&bytes, |_| true) {
            // What may be missing: the byte that fills the last member up to an even length.
            prop_assert!(!cut || at + 1 >= whole);
            prop_assert!(contents.stanza.get("Package").is_some() || with != 0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Names around 100 bytes, and long link targets: where the tar format changes.
    #[test]
    fn tar_paths_of_any_length_come_back(paths in prop::collection::btree_set("(/[a-zA-Z0-9._+@:,=%-]{1,40}){1,6}|/[a-z]{90,105}(/[a-z]{1,120}){0,2}", 1..12), target in "[ -~é]{1,220}") {
        let mut package = content("web");
        for path in paths.iter().filter_map(|path| MachinePath::parse(path).ok()) {
            package.entries.insert(path.clone(), Entry::File { mode: 0o644, bytes: path.as_str().as_bytes().into() });
        }
        package.entries.insert(MachinePath::parse("/zzz").unwrap(), Entry::Symlink { target: target.clone() });
        let Ok(deb) = write("pg-role-web", &package) else {
            // A path that lies below another file.
            return Ok(());
        };
        let directory = tempfile::tempdir().unwrap();
        let path = save(&deb, directory.path());
        let tree = directory.path().join("tree");
        run("dpkg-deb", &["-x", path.to_str().unwrap(), tree.to_str().unwrap()]);
        for (path, entry) in &package.entries {
            if let Entry::File { bytes, .. } = entry {
                prop_assert_eq!(&std::fs::read(tree.join(&path.as_str()[1..])).unwrap()[..], &bytes[..]);
            }
        }
        prop_assert_eq!(std::fs::read_link(tree.join("zzz")).unwrap(), Path::new(&target));
        let contents = read::read(&deb.bytes, |_| true).unwrap();
        prop_assert_eq!(&contents.entries["/zzz"], &Found::Symlink { target });
        prop_assert!(package.entries.keys().all(|path| contents.entries.contains_key(path.as_str())));
    }
}

#[test]
fn what_is_no_debian_package_is_refused_with_the_reason() {
    let good = write("pg-role-web", &full()).unwrap().bytes;
    let why = |bytes: &[u8]| read::read(bytes, |_| false).unwrap_err();
    let ar = |members: &[(&str, &[u8])]| debrole::deb::ar::write(1, members);
    let tar = |entries: &[(&str, &str)]| {
        let mut writer = debrole::deb::tar::Writer::new(1);
        for (name, text) in entries {
            writer.file(name, 0o644, text.as_bytes());
        }
        debrole::deb::gzip::compress(&writer.finish(), debrole::deb::gzip::Level::Package)
    };
    let package = |control: &str, data: &[(&str, &str)]| {
        let (control, data) = (tar(&[("./control", control)]), tar(data));
        ar(&[("debian-binary", b"2.0\n"), ("control.tar.gz", &control), ("data.tar.gz", &data)])
    };
    let stanza = "Package: ab\nVersion: 1\n";
    assert!(read::read(&package(stanza, &[("./a", "b")]), |_| false).is_ok());

    assert!(why(b"").contains("not an ar archive"));
    assert!(why(b"PK\x03\x04 a zip").contains("not an ar archive"));
    assert!(why(&good[..good.len() - 9]).contains("are there"));
    assert!(why(&good[..40]).contains("a part is missing"));
    assert!(why(&ar(&[("debian-binary", b"2.0\n")])).contains("a .deb has the members"));
    assert!(
        why(&ar(&[("debian-binary", b"2.0\n"), ("data.tar", b""), ("control.tar", b"")]))
            .contains("a .deb has the members")
    );
    assert!(why(&package("Package: a\n\nPackage: b\n", &[])).contains("line 2 of its control file is empty"));
    assert!(why(&package("Package: a\nPackage: b\n", &[])).contains("Package twice"));
    assert!(why(&package(" x\n", &[])).contains("continuation"));
    assert!(why(&package("Package\n", &[])).contains("no colon"));
    assert!(why(&package("Package: a\rVersion: 2\n", &[])).contains("'\\r'"));
    assert!(why(&package(stanza, &[("./../etc/passwd", "x")])).contains("leads somewhere else"));
    assert!(why(&package(stanza, &[("./a", "1"), ("./a", "2")])).contains("in it twice"));
    let no_control =
        ar(&[("debian-binary", b"2.0\n"), ("control.tar.gz", &tar(&[("./x", "y")])), ("data.tar.gz", &tar(&[]))]);
    assert!(why(&no_control).contains("no control file"));
}

#[test]
fn an_archive_that_unpacks_without_end_is_refused() {
    // 32 MiB of nothing in a control.tar of 32 KiB.
    let mut writer = debrole::deb::tar::Writer::new(1);
    writer.file("./control", 0o644, b"Package: ab\nVersion: 1\n");
    writer.file("./templates", 0o644, &vec![b' '; 32 << 20]);
    let control = debrole::deb::gzip::compress(&writer.finish(), debrole::deb::gzip::Level::Package);
    assert!(control.len() < 1 << 16);
    let bytes = debrole::deb::ar::write(
        1,
        &[("debian-binary", b"2.0\n"), ("control.tar.gz", &control), ("data.tar.gz", &control)],
    );
    assert!(read::read(&bytes, |_| false).unwrap_err().contains("unpacks to far more"));
}
