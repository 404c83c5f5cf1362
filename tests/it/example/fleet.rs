//! A copy of the example fleet that a test may change, published by the real program and served inside a lab.

use crate::machine::{Lab, Machine, Outcome, Release, Tree, packages};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;

const DEBROLE: &str = env!("CARGO_BIN_EXE_debrole");
/// A key in a safe.
const READER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMD safe";

/// A fleet tree with a key of its own, and the network that its repository is served in: apt.example.org is
/// 192.0.2.1.
pub struct Fleet {
    directory: TempDir,
    pub lab: Arc<Lab>,
    built: bool,
}

impl Fleet {
    /// The example fleet without its monitoring, not built yet: a test of something else need not install the agent
    /// everywhere.
    pub fn example() -> Fleet {
        Fleet::watched().without(&["check", "munin", "monitoring", "nagios_server", "munin_server"])
    }

    /// The example fleet as it is, not built yet, but for its virtual machines: a test boots machines in its own way.
    pub fn watched() -> Fleet {
        let directory = tempfile::Builder::new().prefix("debrole-fleet-").tempdir().expect("a temporary directory");
        let from = packages::example_fleet();
        for name in ["debrole.toml", "ledger.toml", "roles", "hosts", "groups", "users"] {
            let copied = Command::new("cp").arg("-a").arg(from.join(name)).arg(directory.path()).status();
            assert!(copied.is_ok_and(|status| status.success()), "cp {name}");
        }
        let fleet = Fleet { directory, lab: Arc::new(Lab::new()), built: false };
        fleet.debrole(&["key", "init"]);
        fleet.without(&["vm", "network", "hypervisor"])
    }

    /// Without these tables, and what is in them.
    pub fn without(self, tables: &[&str]) -> Fleet {
        let mut files = vec![self.tree().join("debrole.toml")];
        for folder in ["roles", "hosts"] {
            let entries = std::fs::read_dir(self.tree().join(folder)).expect("a folder of the example fleet").flatten();
            files
                .extend(entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "toml")));
        }
        for file in files {
            let text = std::fs::read_to_string(&file).expect("a file of the example fleet");
            let (mut kept, mut left_out, mut quoted) = (String::new(), false, false);
            for line in text.lines() {
                if !quoted && line.starts_with('[') {
                    let name = line.trim_matches(['[', ']']).split('.').next().unwrap_or_default();
                    left_out = tables.contains(&name);
                }
                // A comment belongs to what comes after it.
                if !left_out || (!quoted && line.starts_with('#')) {
                    kept += line;
                    kept.push('\n');
                }
                quoted ^= line.matches("\"\"\"").count() == 1;
            }
            std::fs::write(&file, kept).expect("writable");
        }
        self
    }

    /// Without people: roles let nobody in, so that a machine of a test's own needs no administrator.
    pub fn without_people(self) -> Fleet {
        for role in ["base", "web", "db"] {
            let path = format!("roles/{role}.toml");
            let text = std::fs::read_to_string(self.tree().join(&path)).expect("a role of the example fleet");
            let (before, _) = text.split_once("\n[access]\n").expect("its people come last");
            self.write(&path, before);
        }
        for name in ["users", "groups"] {
            std::fs::remove_dir_all(self.tree().join(name)).expect("a folder of the example fleet");
        }
        self.remove("ledger.toml");
        self.readers(&format!("recipients = [\"{READER}\"]"));
        self
    }

    /// Says anew who can read secrets and backups besides machines: what is in `[secrets]`.
    pub fn readers(&self, text: &str) {
        let debrole = std::fs::read_to_string(self.tree().join("debrole.toml")).expect("readable");
        let (before, _) = debrole.split_once("\n[secrets]\n").expect("the table comes last");
        self.write("debrole.toml", &format!("{before}\n[secrets]\n{text}\n"));
    }

    /// The example fleet, published and served.
    pub fn published() -> Fleet {
        Fleet::example().serve()
    }

    /// Publishes it and serves it from now on.
    #[track_caller]
    pub fn serve(mut self) -> Fleet {
        self.publish();
        let tree = self.tree().to_str().expect("a plain path").to_owned();
        self.lab.start(Command::new(DEBROLE).args(["-C", &tree, "serve", "--listen", "0.0.0.0:80"]));
        self
    }

    pub fn tree(&self) -> &Path {
        self.directory.path()
    }

    /// What `debrole` says on this tree; the test fails unless it succeeds.
    #[track_caller]
    pub fn debrole(&self, arguments: &[&str]) -> String {
        let output = Command::new(DEBROLE).arg("-C").arg(self.tree()).args(arguments).output().expect("it starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "debrole {arguments:?}: {}\n{text}", output.status);
        text
    }

    /// Somebody has published it already.
    pub fn again(&mut self) {
        self.built = true;
    }

    /// Builds and publishes.
    #[track_caller]
    pub fn publish(&mut self) -> String {
        let first: &[&str] = if self.built { &[] } else { &["--first-publish"] };
        self.built = true;
        // The gate has tests of its own; it would ask for Debian's archive.
        self.debrole(&[&["build", "--no-gate"], first].concat())
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.tree().join(path);
        std::fs::create_dir_all(path.parent().expect("not the root")).expect("writable");
        std::fs::write(&path, text).expect("writable");
    }

    pub fn remove(&self, path: &str) {
        std::fs::remove_file(self.tree().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    }

    /// Replaces a text that must be there, everywhere in the file.
    #[track_caller]
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let file = self.tree().join(path);
        let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{path}: {e}"));
        assert!(text.contains(from), "{path} has no {from:?}");
        std::fs::write(file, text.replace(from, to)).expect("writable");
    }

    /// The SHA-256 of every .deb in the pool, by file name.
    pub fn pool(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let mut todo: Vec<PathBuf> = vec![self.tree().join("repo-out/pool")];
        while let Some(directory) = todo.pop() {
            for entry in std::fs::read_dir(directory).expect("a published pool").flatten() {
                let path = entry.path();
                if path.is_dir() {
                    todo.push(path);
                } else {
                    let bytes = std::fs::read(&path).expect("a pool file");
                    found.insert(entry.file_name().to_string_lossy().into_owned(), debrole::deb::sha256(&bytes));
                }
            }
        }
        found
    }

    /// A tree of this release in the fleet's network, with Debian's packages at hand and a name.
    pub fn machine_tree(&self, release: Release, fqdn: &str) -> Tree {
        self.named(Tree::new(release), fqdn)
    }

    /// The same on which what the role `base` needs of Debian's is installed already.
    pub fn furnished_tree(&self, release: Release, fqdn: &str) -> Tree {
        self.named(Tree::furnished(release), fqdn)
    }

    fn named(&self, tree: Tree, fqdn: &str) -> Tree {
        let tree = tree.with_debian().join(&self.lab);
        tree.name(fqdn, &[("192.0.2.1", "apt.example.org")]);
        tree
    }

    /// That one, booted at 192.0.2.`number`, and joined.
    pub fn boot(&self, release: Release, fqdn: &str, number: u8) -> Machine {
        self.boot_tree(self.furnished_tree(release, fqdn), number)
    }

    /// A tree of this fleet's, booted at 192.0.2.`number`, and joined.
    pub fn boot_tree(&self, tree: Tree, number: u8) -> Machine {
        let machine = Machine::boot(&self.lab, tree, number);
        self.join(&machine, machine.tree());
        machine
    }

    /// Joins a machine as the manual says: the keyring package by its stable name, installed by apt. From /var/tmp: apt
    /// has a notice for files that its own account cannot read, and a booted machine has its own /tmp.
    #[track_caller]
    pub fn join(&self, machine: &impl Runs, tree: &Tree) {
        let name = format!("pg-archive-keyring-{}.deb", release_of(tree));
        tree.copy_in(self.tree().join("repo-out").join(&name), format!("/var/tmp/{name}"));
        machine.apt(&format!("install /var/tmp/{name}"));
        std::fs::remove_file(tree.path(format!("/var/tmp/{name}"))).expect("it was copied there");
        machine.apt("update");
    }
}

fn release_of(tree: &Tree) -> &'static str {
    tree.release().codename()
}

/// A machine, booted or not.
pub trait Runs {
    fn run(&self, text: &str) -> Outcome;

    /// `apt-get -y -q=0 …`: it succeeds, and there is no warning, error or notice among what it says.
    #[track_caller]
    fn apt(&self, arguments: &str) -> String {
        // Debian's sudo refuses to be removed where root has no password, unless it is told so.
        let outcome = self.run(&format!("SUDO_FORCE_REMOVE=yes apt-get -y -q=0 {arguments}"));
        let all = outcome.all();
        // Progress is drawn with carriage returns.
        let bad: Vec<&str> = all
            .split(['\n', '\r'])
            .filter(|line| ["W:", "E:", "N:"].iter().any(|mark| line.trim_start().starts_with(mark)))
            .collect();
        assert!(bad.is_empty(), "apt-get {arguments}: {bad:#?}\n{all}");
        outcome.ok(&format!("apt-get {arguments}"));
        all
    }

    /// The version of an installed package; None where it is not installed.
    fn version(&self, package: &str) -> Option<String> {
        let outcome = self.run(&format!("dpkg-query -W -f '${{db:Status-Status}} ${{Version}}' {package}"));
        outcome.stdout.strip_prefix("installed ").map(str::to_owned)
    }

    /// The marks that pg-runtime left; the test fails unless there are none.
    #[track_caller]
    fn no_marks(&self) {
        let outcome = self
            .run("cd /var/lib/pg/marks && for mark in *; do [ -e \"$mark\" ] && tail -n +1 -v \"$mark\"; done; true");
        assert_eq!(outcome.stdout, "", "marks");
    }
}

impl Runs for Tree {
    fn run(&self, text: &str) -> Outcome {
        Tree::run(self, text)
    }
}

impl Runs for Machine {
    fn run(&self, text: &str) -> Outcome {
        Machine::run(self, text)
    }
}
