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
use std::io::Read;
use std::path::Path;
use std::process::Command;

const MAINTAINER: &str = "Example Sysadmins <sysadmins@example.org>";
const TIME: i64 = 1_795_348_800;
const COPYRIGHT: &str = "Copyright: the people of the Example Project\n\nLicense: for use on its machines.\n";

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
    let package = Package { name: &name, maintainer: MAINTAINER, copyright: COPYRIGHT, content };
    let hash = package.content_hash()?;
    let changelog = changelog(&name);
    package.write(&Stamp {
        version: "20261122.1",
        content_hash: &hash,
        moved_from: moved,
        changelog: &changelog,
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
    full.fields = BTreeMap::from([("Multi-Arch".into(), "foreign".into()), ("X-Fleet".into(), "example".into())]);
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

#[test]
fn lintian_finds_no_error() {
    let deb = write("pg-role-web", &full()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = save(&deb, directory.path());
    let output = Command::new("lintian")
        .args(["--allow-root", "--fail-on=error", "--no-cfg", "--info", path.to_str().unwrap()])
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("lintian is installed (`make` does it)");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
}
