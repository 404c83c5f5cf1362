//! The whole program twice: in other directories, at other times, with another umask, locale, time zone, user and
//! number of threads, from the same tree, the same previous manifest and the same supplied time. Every .deb and every
//! index must be the same bytes. (Signatures hold the moment at which they were made.)

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const FIRST: &str = "1763800000";
const SECOND: &str = "1763900000";

/// A copy of the example fleet with a key.
fn fleet(at: &Path) {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::create_dir_all(at).unwrap();
    for name in ["debrole.toml", "ledger.toml", "roles", "hosts", "groups", "users"] {
        run(Command::new("cp").arg("-a").arg(project.join(name)).arg(at));
    }
    run(Command::new(env!("CARGO_BIN_EXE_debrole")).arg("-C").arg(at).args(["-q", "key", "init"]));
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// `build` as an ordinary person in a German night shift would run it, or as root does, alone and in C.
fn build(at: &Path, time: &str, otherwise: bool) {
    let shell = if otherwise { "umask 077; exec \"$@\"" } else { "umask 022; exec \"$@\"" };
    let mut command = Command::new("setpriv");
    if otherwise {
        run(Command::new("chown").args(["-R", "65534:65534"]).arg(at));
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    } else {
        command.args(["--reuid=0"]);
    }
    command.args(["sh", "-c", shell, "sh", env!("CARGO_BIN_EXE_debrole"), "-q", "-C"]).arg(at);
    command.args(["build", "--no-gate", "--first-publish", "--time", time]);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", at);
    if otherwise {
        command.envs([("LC_ALL", "de_DE.UTF-8"), ("TZ", "Asia/Tokyo"), ("RAYON_NUM_THREADS", "4")]);
    } else {
        command.envs([("LC_ALL", "C"), ("TZ", "UTC"), ("RAYON_NUM_THREADS", "1")]);
    }
    run(&mut command);
}

/// Everything that is published but signatures: path → bytes, of symlinks their target.
fn published(out: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut todo = vec![out.to_owned()];
    while let Some(directory) = todo.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(out).unwrap().to_owned();
            let meta = path.symlink_metadata().unwrap();
            if meta.is_dir() {
                todo.push(path);
            } else if meta.is_symlink() {
                found.insert(name, fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes());
            } else if !["InRelease", "Release.gpg", "manifest.json.asc"].iter().any(|s| path.ends_with(s)) {
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn the_same_tree_gives_the_same_bytes() {
    let scratch = tempfile::tempdir().unwrap();
    // The other user has to reach it.
    run(Command::new("chmod").arg("0755").arg(scratch.path()));
    let one = scratch.path().join("one");
    let other = scratch.path().join("quite/another place");
    fleet(&one);
    fs::create_dir_all(other.parent().unwrap()).unwrap();
    run(Command::new("cp").arg("-a").arg(&one).arg(&other));
    // Nothing may depend on when or in which order the files were written.
    run(Command::new("find").arg(&other).args(["-type", "f", "-exec", "touch", "-d", "2001-02-03", "{}", "+"]));

    build(&one, FIRST, false);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    build(&other, FIRST, true);
    compare(&one, &other, 24);

    for tree in [&one, &other] {
        let role = tree.join("roles/base.toml");
        let text = fs::read_to_string(&role).unwrap();
        let changed = text.replacen("summary = \"", "summary = \"Changed: ", 1);
        assert_ne!(text, changed);
        fs::write(&role, changed).unwrap();
    }
    build(&one, SECOND, false);
    build(&other, SECOND, true);
    compare(&one, &other, 25);
}

fn compare(one: &Path, other: &Path, debs: usize) {
    let (one, other) = (published(&one.join("repo-out")), published(&other.join("repo-out")));
    let names = |set: &BTreeMap<PathBuf, Vec<u8>>| set.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&one), names(&other));
    for (path, bytes) in &one {
        assert!(bytes == &other[path], "{} differs", path.display());
    }
    let count = one.keys().filter(|p| p.starts_with("pool")).count();
    assert!(count >= debs, "only {count} packages were compared");
    assert!(one.keys().any(|p| p.ends_with("Packages.xz")) && one.keys().any(|p| p.ends_with("Release")));
}
