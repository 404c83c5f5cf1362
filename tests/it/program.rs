//! The program as its user meets it: what it says and with which status it ends, where the parts alone show nothing.

use crate::fleet::snapshot;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A tree with a key, and the program on it.
pub struct Fleet {
    dir: tempfile::TempDir,
}

/// What the program said.
#[derive(Debug)]
pub struct Said {
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

pub const DEBROLE_TOML: &str = "schema = 1\n[fleet]\nprefix = \"pg\"\norigin = \"Example Project\"\n\
     label = \"Example fleet\"\nmaintainer = \"Example Sysadmins <sysadmins@example.org>\"\n\
     uri = \"http://apt.example.org\"\narchitectures = [\"amd64\"]\n[release.bookworm]\n[release.trixie]\n";

impl Fleet {
    /// With these roles: name and text.
    pub fn new(roles: &[(&str, &str)]) -> Fleet {
        let dir = tempfile::Builder::new().prefix("debrole-").tempdir().unwrap();
        let fleet = Fleet { dir };
        fleet.write("debrole.toml", DEBROLE_TOML);
        for (name, text) in roles {
            fleet.write(&format!("roles/{name}.toml"), text);
        }
        fleet
    }

    pub fn with_key(self) -> Fleet {
        let said = self.run(&["key", "init"]);
        assert_eq!(said.status, Some(0), "{said:?}");
        self
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("tree")
    }
    pub fn out(&self) -> PathBuf {
        self.root().join("repo-out")
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn run(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_debrole"));
        command.arg("-C").arg(self.root()).args(arguments).env_remove("SOURCE_DATE_EPOCH").stdin(Stdio::null());
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { status: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    pub fn build(&self, more: &[&str]) -> Said {
        self.run(&[&["build", "--no-gate", "--first-publish"], more].concat())
    }

    /// Builds, which must succeed.
    pub fn publish(&self, more: &[&str]) -> String {
        let said = self.build(more);
        assert_eq!(said.status, Some(0), "{said:?}");
        said.out
    }
}

const ROLE: &str = "summary = \"Web front end\"\ndepends = [\"nginx\"]\n";

fn replace(path: &Path, from: &str, to: &str) {
    let bytes = fs::read(path).unwrap();
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes());
    let at = at.unwrap_or_else(|| panic!("{} is not in {}", from, path.display()));
    fs::write(path, [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()).unwrap();
}

#[test]
fn a_manifest_that_nobody_signed_is_not_believed() {
    let fleet = Fleet::new(&[("web", ROLE)]).with_key();
    fleet.publish(&[]);
    let manifest = fleet.out().join("dists/manifest.json");
    replace(&manifest, "Example Project", "Other Project!!");
    for command in [&["build", "--no-gate"][..], &["build", "--no-gate", "--refresh"], &["plan"]] {
        let said = fleet.run(command);
        assert_eq!(said.status, Some(2), "{said:?}");
        assert!(said.err.contains("error[published-untrusted]"), "{said:?}");
        assert!(said.err.contains("BAD signature") && !said.err.contains("Other Project"), "{said:?}");
    }
    replace(&manifest, "Other Project!!", "Example Project");
    assert!(fleet.publish(&[]).contains("Nothing changed"));
    fs::remove_file(fleet.out().join("dists/manifest.json.asc")).unwrap();
    let said = fleet.build(&[]);
    assert!(said.err.contains("error[published-untrusted]"), "{said:?}");
}

#[test]
fn what_was_touched_after_the_commit_is_found_and_never_signed() {
    let fleet = Fleet::new(&[("web", ROLE)]).with_key();
    fleet.publish(&[]);
    let deb = fleet.out().join("pool/pg-role-web");
    let deb = fs::read_dir(deb).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&deb).unwrap();
    let mut other = whole.clone();
    *other.last_mut().unwrap() ^= 1;
    fs::write(&deb, other).unwrap();
    let before = snapshot(&fleet.out());
    for more in [&[][..], &["--refresh"]] {
        let said = fleet.build(more);
        assert_eq!(said.status, Some(2), "{said:?}");
        assert!(said.err.contains("error[repository-damaged]") && said.err.contains("pg-role-web"), "{said:?}");
    }
    assert_eq!(snapshot(&fleet.out()), before);
    fs::write(&deb, whole).unwrap();
    assert!(fleet.publish(&[]).contains("Nothing changed"), "whole again, though touched");

    // What can be made again is.
    let stored = fleet.out().join("dists/trixie/main/binary-amd64/Packages.xz").canonicalize().unwrap();
    let mut spoil: Vec<(PathBuf, Box<dyn Fn(&Path)>)> = Vec::new();
    let flip = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    spoil.push((stored, Box::new(flip)));
    for name in ["InRelease", "Release", "Release.gpg"] {
        spoil.push((PathBuf::from(name), Box::new(flip)));
    }
    spoil.push((PathBuf::from("InRelease"), Box::new(|path| fs::remove_file(path).unwrap())));
    spoil.push((PathBuf::from("main/binary-amd64/Packages"), Box::new(|path| fs::remove_file(path).unwrap())));
    for (generation, (name, spoil)) in (2..).zip(spoil) {
        spoil(&fleet.out().join("dists/bookworm").join(&name));
        let said = fleet.build(&[]);
        assert_eq!(said.status, Some(0), "{said:?}");
        assert!(said.err.contains("Changed since it was published"), "{}: {said:?}", name.display());
        assert!(said.out.contains(&format!("Signed anew: generation {generation}")), "{said:?}");
        assert!(fleet.publish(&[]).contains("Nothing changed"), "{}", name.display());
    }
    // A copy is as good as what it is of.
    let copy = fleet.root().join("copy");
    assert!(Command::new("cp").arg("-a").arg(fleet.out()).arg(&copy).status().unwrap().success());
    let said = fleet.build(&["--out", copy.to_str().unwrap()]);
    assert!(said.status == Some(0) && said.out.contains("Nothing changed"), "{said:?}");
}
