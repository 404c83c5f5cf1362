//! Readers that we did not write take the repository: signature checkers, index makers, mirrors, apt itself.

use crate::fleet::{package_set, publish};
use crate::serve::serve;
use debrole::repo::manifest::Manifest;
use debrole::repo::publish::{Now, Published};
use debrole::repo::store::sha256;
use debrole::serve::Running;
use debrole::sign::Signer;
use debrole::sign::testing::EphemeralKey;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A published repository that is served, its keyring, and a directory for a reader.
struct Site {
    // Dropped in this order: the server before its directory.
    server: Running,
    key: EphemeralKey,
    dir: tempfile::TempDir,
}

impl Site {
    fn new() -> Site {
        let key = EphemeralKey::new(None).unwrap();
        let dir = tempfile::Builder::new().prefix("debrole-").tempdir().unwrap();
        let out = dir.path().join("out");
        // The second generation, so that by-hash holds more than the current one.
        for step in 0..2 {
            publish(&out, package_set(step, 4), &key.signer, Now::Supplied(now() - 60 + i64::from(step)));
        }
        std::fs::write(dir.path().join("key.gpg"), key.signer.public_keys().unwrap()).unwrap();
        Site { server: serve(&out), key, dir }
    }
    fn out(&self) -> PathBuf {
        self.dir.path().join("out")
    }
    fn keyring(&self) -> PathBuf {
        self.dir.path().join("key.gpg")
    }
    fn manifest(&self) -> Manifest {
        debrole::repo::published(&self.out()).unwrap().unwrap()
    }
    /// A directory for a reader, with a GnuPG home that knows the key.
    fn reader(&self) -> PathBuf {
        let reader = self.dir.path().join("reader");
        std::fs::create_dir_all(reader.join("gnupg")).unwrap();
        run(Command::new("chmod").arg("0700").arg(reader.join("gnupg")));
        run(Command::new("gpg").arg("--homedir").arg(reader.join("gnupg")).arg("--import").arg(self.keyring()));
        reader
    }
    /// `name version` of what a suite lists.
    fn listed(&self, suite: &str) -> BTreeSet<String> {
        let packages = self.manifest().packages;
        let of_suite = packages.iter().filter(|record| record.releases.iter().any(|r| r.as_str() == suite));
        of_suite.map(|record| format!("{} {}", record.name, record.version)).collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf")
            .arg("--homedir")
            .arg(self.dir.path().join("reader/gnupg"))
            .args(["--kill", "all"])
            .stderr(Stdio::null())
            .status();
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Runs a program that must succeed; returns what it said on both channels.
fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    said
}

/// .debs below a directory: file name without the version's markup → hash.
fn debs(directory: &Path) -> BTreeSet<String> {
    crate::fleet::snapshot(directory)
        .keys()
        .filter(|path| path.ends_with(".deb"))
        .map(|path| sha256(&std::fs::read(directory.join(path)).unwrap()))
        .collect()
}

#[test]
fn gpgv_and_sqv() {
    let site = Site::new();
    for suite in ["bookworm", "trixie"] {
        let directory = site.out().join("dists").join(suite);
        let file = |name: &str| directory.join(name);
        run(Command::new("gpgv").arg("--keyring").arg(site.keyring()).arg(file("InRelease")));
        run(Command::new("gpgv").arg("--keyring").arg(site.keyring()).args([file("Release.gpg"), file("Release")]));
        run(Command::new("sqv").arg("--keyring").arg(site.keyring()).args([file("Release.gpg"), file("Release")]));
    }
}

/// The fields of each stanza by package and version, but for hashes that we don't make.
fn stanzas(text: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for stanza in text.split("\n\n").filter(|stanza| !stanza.trim().is_empty()) {
        let mut fields: BTreeMap<String, String> = BTreeMap::new();
        let mut last = String::new();
        for line in stanza.lines() {
            if line.starts_with([' ', '\t']) {
                let value = fields.get_mut(&last).expect("a continued line continues something");
                value.push('\n');
                value.push_str(line);
            } else {
                let (name, value) = line.split_once(':').expect("a field");
                last = name.to_owned();
                fields.insert(last.clone(), value.trim().to_owned());
            }
        }
        for hash in ["MD5sum", "SHA1", "SHA512", "Description-md5"] {
            fields.remove(hash);
        }
        let name = format!("{} {}", fields["Package"], fields["Version"]);
        assert!(found.insert(name, fields).is_none(), "each package once");
    }
    found
}

#[test]
fn apt_ftparchive_and_dpkg_scanpackages_make_the_same_stanzas() {
    let site = Site::new();
    let out = site.out();
    let mut ours = BTreeMap::new();
    for suite in ["bookworm", "trixie"] {
        let packages = std::fs::read_to_string(out.join(format!("dists/{suite}/main/binary-amd64/Packages"))).unwrap();
        ours.extend(stanzas(&packages));
    }
    assert_eq!(ours.len(), 6);
    for command in [&["apt-ftparchive", "packages", "pool"][..], &["dpkg-scanpackages", "-m", "pool"][..]] {
        let output = Command::new(command[0]).args(&command[1..]).current_dir(&out).output().unwrap();
        assert!(output.status.success());
        let theirs = stanzas(&String::from_utf8(output.stdout).unwrap());
        // They see the whole pool: also the package that the second generation replaced.
        assert_eq!(theirs.len(), 7, "{}", command[0]);
        for (name, fields) in &ours {
            assert_eq!(Some(fields), theirs.get(name), "{} of {name}", command[0]);
        }
    }
}

#[test]
fn aptly_mirrors_it() {
    let site = Site::new();
    let reader = site.reader();
    let config = reader.join("aptly.conf");
    let root = reader.join("aptly");
    std::fs::write(&config, format!("{{\"rootDir\": \"{}\", \"architectures\": [\"amd64\"]}}", root.display()))
        .unwrap();
    let aptly = |arguments: &[&str]| {
        let mut command = Command::new("aptly");
        command.arg("-config").arg(&config).args(arguments).env("HOME", &reader).env("GNUPGHOME", reader.join("gnupg"));
        run(&mut command)
    };
    let keyring = format!("-keyring={}", site.keyring().display());
    for suite in ["bookworm", "trixie"] {
        aptly(&["mirror", "create", &keyring, suite, &site.server.uri(), suite, "main"]);
        let said = aptly(&["mirror", "update", &keyring, suite]);
        assert!(said.contains("has been successfully updated"), "{said}");
        let shown = aptly(&["mirror", "show", "-with-packages", suite]);
        for package in site.listed(suite) {
            let (name, version) = package.split_once(' ').unwrap();
            assert!(shown.contains(&format!("{name}_{version}_all")), "{package}: {shown}");
        }
    }
    let published: BTreeSet<String> = site.manifest().packages.into_iter().map(|record| record.sha256).collect();
    assert_eq!(debs(&root.join("pool")), published);
}

#[test]
fn reprepro_updates_from_it() {
    let site = Site::new();
    let reader = site.reader();
    let base = reader.join("reprepro");
    std::fs::create_dir_all(base.join("conf")).unwrap();
    std::fs::write(
        base.join("conf/distributions"),
        "Codename: bookworm\nArchitectures: amd64\nComponents: main\nUpdate: pg\n",
    )
    .unwrap();
    std::fs::write(
        base.join("conf/updates"),
        format!(
            "Name: pg\nMethod: {}\nSuite: bookworm\nComponents: main\nArchitectures: amd64\nVerifyRelease: {}\n",
            site.server.uri(),
            // It takes at most sixteen digits.
            &site.key.info.fingerprint()[24..]
        ),
    )
    .unwrap();
    let reprepro = |arguments: &[&str]| {
        let mut command = Command::new("reprepro");
        command.arg("-b").arg(&base).args(arguments).env("GNUPGHOME", reader.join("gnupg"));
        run(&mut command)
    };
    reprepro(&["update", "bookworm"]);
    let listed: BTreeSet<String> = reprepro(&["list", "bookworm"])
        .lines()
        .filter_map(|line| line.split_once(": ").map(|(_, package)| package.to_owned()))
        .collect();
    assert_eq!(listed, site.listed("bookworm"));
}

#[test]
fn debmirror_mirrors_it() {
    let site = Site::new();
    let reader = site.reader();
    let mirror = reader.join("mirror");
    let port = site.server.addresses()[0].port().to_string();
    run(Command::new("debmirror")
        .arg(&mirror)
        .args(["--method=http", &format!("--host=127.0.0.1:{port}"), "--root=/", "--dist=bookworm,trixie"])
        .args(["--section=main", "--arch=amd64", "--nosource", "--i18n", "--nocleanup", "--diff=none"])
        .arg(format!("--keyring={}", site.keyring().display()))
        .env("HOME", &reader)
        .env("GNUPGHOME", reader.join("gnupg")));
    let published: BTreeSet<String> = site.manifest().packages.into_iter().map(|record| record.sha256).collect();
    assert_eq!(debs(&mirror.join("pool")), published);
}

#[test]
fn python_debian_reads_it() {
    let site = Site::new();
    let script = r#"
import sys, lzma, gzip, hashlib
from debian import deb822, debfile
root, suite = sys.argv[1], sys.argv[2]
base = f"{root}/dists/{suite}"
release = deb822.Release(open(f"{base}/InRelease"))
assert release["Codename"] == suite and release["Acquire-By-Hash"] == "yes", dict(release)
for entry in release["SHA256"]:
    data = open(f"{base}/{entry['name']}", "rb").read()
    assert len(data) == int(entry["size"]) and hashlib.sha256(data).hexdigest() == entry["sha256"], entry
path = f"{base}/main/binary-amd64/Packages"
text = open(path, "rb").read()
assert lzma.open(path + ".xz").read() == text and gzip.open(path + ".gz").read() == text
for package in deb822.Packages.iter_paragraphs(text, use_apt_pkg=False):
    file = f"{root}/{package['Filename']}"
    data = open(file, "rb").read()
    assert hashlib.sha256(data).hexdigest() == package["SHA256"]
    control = debfile.DebFile(file).debcontrol()
    for name, value in control.items():
        assert package[name] == value, (name, value)
    print(package["Package"], package["Version"])
"#;
    for suite in ["bookworm", "trixie"] {
        // Debian's own interpreter: another in PATH would not have Debian's modules.
        let said = run(Command::new("/usr/bin/python3").args(["-c", script]).arg(site.out()).arg(suite));
        let listed: BTreeSet<String> = said.lines().map(str::to_owned).collect();
        assert_eq!(listed, site.listed(suite), "{said}");
    }
}

/// An apt of its own: its lists, caches and sources are in a directory, nothing of the machine's is touched.
struct Apt {
    dir: tempfile::TempDir,
}

impl Apt {
    fn new(uri: &str, suite: &str, keyring: &Path) -> Apt {
        let dir = tempfile::Builder::new().prefix("debrole-").tempdir().unwrap();
        for name in ["lists/partial", "cache/archives/partial", "etc/sources.list.d", "etc/preferences.d", "work"] {
            std::fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        std::fs::write(dir.path().join("status"), "").unwrap();
        std::fs::write(
            dir.path().join("etc/sources.list.d/pg.sources"),
            format!(
                "Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: main\nArchitectures: amd64\nSigned-By: {}\n",
                keyring.display()
            ),
        )
        .unwrap();
        Apt { dir }
    }

    /// Fails on any `W:`, `E:` or `N:` too.
    fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let at = |name: &str| self.dir.path().join(name).display().to_string();
        let output = Command::new("apt-get")
            .args(["-q=0", "-o", "APT::Architecture=amd64", "-o", "APT::Architectures=amd64"])
            .args(["-o", "APT::Sandbox::User=root", "-o", "Acquire::Languages=none", "-o", "Debug::NoLocking=1"])
            .args(["-o", "APT::Update::Error-Mode=any", "-o", "Acquire::Retries=0"])
            .args(["-o", &format!("Dir::State::status={}", at("status"))])
            .args(["-o", &format!("Dir::State::lists={}", at("lists"))])
            .args(["-o", &format!("Dir::Cache={}", at("cache"))])
            .args([
                "-o",
                "Dir::Etc::sourcelist=/dev/null",
                "-o",
                &format!("Dir::Etc::sourceparts={}", at("etc/sources.list.d")),
            ])
            .args([
                "-o",
                "Dir::Etc::preferences=/dev/null",
                "-o",
                &format!("Dir::Etc::preferencesparts={}", at("etc/preferences.d")),
            ])
            .args(arguments)
            .current_dir(self.dir.path().join("work"))
            .env("LC_ALL", "C.UTF-8")
            .env_remove("http_proxy")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let complaint = said.lines().any(|line| ["W:", "E:", "N:", "Err:"].iter().any(|kind| line.starts_with(kind)));
        if output.status.success() && !complaint { Ok(said) } else { Err(format!("{}\n{said}", output.status)) }
    }
}

#[test]
fn clients_that_update_during_fifty_publishes_never_fail() {
    const PUBLISHES: u32 = 50;
    let key = EphemeralKey::new(None).unwrap();
    let dir = tempfile::Builder::new().prefix("debrole-").tempdir().unwrap();
    let out = dir.path().join("out");
    let keyring = dir.path().join("key.gpg");
    std::fs::write(&keyring, key.signer.public_keys().unwrap()).unwrap();
    let start = now() - 3600;
    publish(&out, package_set(0, 5), &key.signer, Now::Supplied(start));
    let server = serve(&out);

    let over = AtomicBool::new(false);
    let publishes = AtomicUsize::new(0);
    let client = |suite: &'static str| {
        let apt = Apt::new(&server.uri(), suite, &keyring);
        let mut seen = BTreeSet::new();
        let mut rounds = 0;
        loop {
            let last = over.load(Ordering::Relaxed);
            apt.run(&["update"]).unwrap_or_else(|said| panic!("{suite}, round {rounds}: {said}"));
            // Longer than one publish after the lists were fetched, what they name is still there.
            let before = publishes.load(Ordering::Relaxed);
            while !over.load(Ordering::Relaxed) && publishes.load(Ordering::Relaxed) < before + 1 {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            for role in 0..5 {
                let name = format!("pg-role-r{role}");
                apt.run(&["download", &name]).unwrap_or_else(|said| panic!("{suite}, round {rounds}: {said}"));
            }
            for entry in std::fs::read_dir(apt.dir.path().join("work")).unwrap() {
                let path = entry.unwrap().path();
                seen.insert(path.file_name().unwrap().to_owned());
                std::fs::remove_file(path).unwrap();
            }
            rounds += 1;
            if last {
                return (rounds, seen.len());
            }
        }
    };
    let results: Vec<(u32, usize)> = std::thread::scope(|scope| {
        let clients: Vec<_> = ["bookworm", "trixie"].map(|suite| scope.spawn(move || client(suite))).into();
        for step in 1..=PUBLISHES {
            let published = publish(&out, package_set(step, 5), &key.signer, Now::Supplied(start + i64::from(step)));
            assert!(matches!(published, Published::Generation(_)));
            publishes.fetch_add(1, Ordering::Relaxed);
            if clients.iter().any(std::thread::ScopedJoinHandle::is_finished) {
                break;
            }
        }
        over.store(true, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    println!("rounds of update and download, package versions seen: {results:?}");
    for (rounds, versions) in results {
        assert!(rounds >= 5, "{rounds} rounds");
        assert!(versions > 10, "{versions} versions of five packages");
    }
    // Each index that any of the fifty had is still under its hash.
    let index = std::fs::read_dir(out.join("by-hash/SHA256")).unwrap().count();
    assert_eq!(index, 2 * 3 * (PUBLISHES as usize + 1));
}
