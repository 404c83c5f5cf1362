//! What is made once and kept outside of the checkout: a base tree for each Debian release, and a pool of the Debian
//! packages that roles need, as a signed repository that machines read from a `file:` URI.
//!
//! Everything is made beside its final name and renamed, under a lock, so that tests that run at once make it once
//! and a killed run leaves nothing that looks finished. The names carry the month: an older tree is not used, since
//! the archive no longer has what it would pull in.

use super::command::{run, sh};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

/// A Debian release that the tests run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Release {
    Bookworm,
    Trixie,
}

impl Release {
    pub const ALL: [Release; 2] = [Release::Bookworm, Release::Trixie];

    pub fn codename(self) -> &'static str {
        match self {
            Release::Bookworm => "bookworm",
            Release::Trixie => "trixie",
        }
    }
}

/// What a base tree holds beyond `mmdebstrap --variant=minbase`: what makes it boot, and an address to boot with.
const BASE: &str = "systemd-sysv,dbus,iproute2";

/// What the client machines hold beyond that (one tree, bookworm): programs that talk to what roles serve.
const CLIENT: &str = "systemd-sysv,dbus,iproute2,curl,git,openssh-client,postgresql-client";

/// One hour: the first run downloads some hundred megabytes.
const LONG: Duration = Duration::from_secs(3600);

/// Where the pool is on a test machine.
pub const POOL_MOUNT: &str = "/mnt/debian";

/// Where the pool for the upgrade to the next release is.
pub const NEXT_MOUNT: &str = "/mnt/debian-trixie";

/// `DEBROLE_TEST_CACHE`, or /var/cache/debrole-test.
pub fn cache_directory() -> PathBuf {
    std::env::var_os("DEBROLE_TEST_CACHE").map_or_else(|| PathBuf::from("/var/cache/debrole-test"), PathBuf::from)
}

/// The base tree of a release: a minimal system that boots, without a hostname, a machine id, SSH host keys or apt
/// sources.
pub fn base_tree(release: Release) -> PathBuf {
    tree(release, BASE)
}

/// The base tree of client machines.
pub fn client_tree() -> PathBuf {
    tree(Release::Bookworm, CLIENT)
}

fn tree(release: Release, include: &str) -> PathBuf {
    tidy_tree(release, [include], |root| {
        let sources = root.with_file_name("sources.list");
        std::fs::write(&sources, debian_sources(release).join("\n") + "\n").expect("the cache is writable");
        let mut mmdebstrap = Command::new("mmdebstrap");
        mmdebstrap.args(["--variant=minbase", "--quiet", &format!("--include={include}"), release.codename()]);
        mmdebstrap.arg(root).arg(&sources);
        run(&mut mmdebstrap, None, LONG).ok(&format!("mmdebstrap {}", release.codename()));
    })
}

/// A base tree with these packages of a pool in it, which `make` has installed in the directory that it is given: its name.
pub fn furnished_tree(release: Release, pool: &Path, packages: &BTreeSet<String>, make: impl FnOnce(&Path)) -> PathBuf {
    let pool = pool.file_name().and_then(|name| name.to_str()).expect("a name of ours");
    tidy_tree(release, [BASE, pool].into_iter().chain(packages.iter().map(String::as_str)), |root| {
        std::fs::create_dir(root).expect("the cache is writable");
        make(root);
    })
}

/// The tree that `make` puts into the directory of this name, made nobody's. `of`: what tells it from others.
fn tidy_tree<'a>(release: Release, of: impl IntoIterator<Item = &'a str>, make: impl FnOnce(&Path)) -> PathBuf {
    once(&format!("tree-{}-{}-{}", release.codename(), month(), digest(of.into_iter().chain([TIDY]))), |new| {
        let root = new.join("root");
        make(&root);
        sh(&format!("set -e; cd '{}'; {TIDY}", root.display()), LONG);
    })
    .join("root")
}

/// What makes the new tree nobody's in particular, and quick to install into (no fsync a file).
const TIDY: &str = "
rm -f etc/ssh/ssh_host_* etc/resolv.conf etc/hostname etc/apt/sources.list etc/apt/sources.list.d/*
: >etc/machine-id
echo force-unsafe-io >etc/dpkg/dpkg.cfg.d/90test-machine
printf 'APT::Install-Recommends \"false\";\\n' >etc/apt/apt.conf.d/90test-machine
printf '127.0.0.1 localhost\\n::1 localhost\\n' >etc/hosts
mkdir -p mnt/debian
";

/// The pool of Debian packages of a release: a directory that is a signed apt repository (suite: the codename,
/// component main; its key in `key.asc`) and holds all that [`super::packages::installations`] asks for.
pub fn pool(release: Release, installations: &[BTreeSet<String>]) -> PathBuf {
    let month = format!("pool-{}-{}", release.codename(), month());
    let sets: Vec<String> =
        installations.iter().map(|set| set.iter().map(String::as_str).collect::<Vec<_>>().join(" ")).collect();
    let key = format!("{month}-{}", digest(sets.iter().map(String::as_str)));
    // What the other pools of the month hold is not downloaded again.
    let shared = cache_directory().join(format!("debs-{}", &month["pool-".len()..]));
    once(&key, |new| {
        std::fs::create_dir_all(shared.join("partial")).expect("the cache is writable");
        let status = base_tree(release).join("var/lib/dpkg/status");
        let sets: Vec<Vec<&str>> =
            sets.iter().map(|set| std::iter::once("install").chain(set.split(' ')).collect()).collect();
        download(release, &status, &sets, &shared, new);
        index(release, new);
    })
}

/// The pool of what apt's `full-upgrade` from bookworm to trixie brings to a machine of this dpkg status, made by
/// `status` where the pool is not there yet; `of` names the kind of machine.
pub fn upgrade_pool(of: &str, status: impl FnOnce() -> PathBuf) -> PathBuf {
    let month = format!("pool-trixie-{}", month());
    let key = format!("{month}-{}", digest(["upgrade", of]));
    let shared = cache_directory().join(format!("debs-{}", &month["pool-".len()..]));
    once(&key, |new| {
        std::fs::create_dir_all(shared.join("partial")).expect("the cache is writable");
        download(Release::Trixie, &status(), &[vec!["dist-upgrade"]], &shared, new);
        index(Release::Trixie, new);
    })
}

/// Has the apt of this machine download what each of these commands of apt would bring to a machine with this dpkg
/// status: its own proxies and credentials apply, and nothing of it is changed.
fn download(release: Release, status: &Path, commands: &[Vec<&str>], archives: &Path, new: &Path) {
    let private = new.join("apt");
    for directory in ["lists/partial", "etc/apt.conf.d", "etc/preferences.d", "etc/sources.list.d"] {
        std::fs::create_dir_all(private.join(directory)).expect("the cache is writable");
    }
    std::fs::write(private.join("etc/sources.list"), debian_sources(release).join("\n") + "\n").expect("writable");
    let p = private.display();
    let options = [
        format!("Dir::State={p}"),
        format!("Dir::State::lists={p}/lists"),
        format!("Dir::State::status={}", status.display()),
        format!("Dir::Cache={p}"),
        format!("Dir::Cache::archives={}", archives.display()),
        format!("Dir::Etc::sourcelist={p}/etc/sources.list"),
        format!("Dir::Etc::sourceparts={p}/etc/sources.list.d"),
        format!("Dir::Etc::preferences={p}/etc/preferences"),
        format!("Dir::Etc::preferencesparts={p}/etc/preferences.d"),
        "APT::Sandbox::User=root".into(),
        "APT::Install-Recommends=false".into(),
        "APT::Keep-Downloaded-Packages=true".into(),
        "APT::Update::Post-Invoke=".into(),
        "Acquire::Languages=none".into(),
        "Acquire::Retries=3".into(),
        "Dpkg::Post-Invoke=".into(),
    ];
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.args(["-y", "-qq"]).args(options.iter().flat_map(|o| ["-o", o])).args(arguments);
        // The machine's own apt hooks are for its own packages.
        apt.args(["-o", "DPkg::Pre-Install-Pkgs=", "-o", "APT::Update::Post-Invoke-Success="]);
        run(&mut apt, None, LONG).ok(&format!("apt-get {}", arguments.join(" ")))
    };
    apt(&["update"]);
    let debs = new.join("debs");
    std::fs::create_dir(&debs).expect("a fresh directory");
    for command in commands {
        let mut arguments = command.clone();
        arguments.insert(1, "--download-only");
        apt(&arguments);
        let mut names = arguments.clone();
        names[1] = "--print-uris";
        // Only what this month's sets need is in this pool; the names are those that apt gives the files.
        names.extend(["-o", "Dir::Cache::archives=/nonexistent"]);
        for line in apt(&names).lines() {
            let name = line.split(' ').nth(1).unwrap_or_else(|| panic!("apt-get --print-uris: {line:?}"));
            let (from, to) = (archives.join(name), debs.join(name));
            // One file system, and packages are never written to: links.
            if !to.exists() {
                std::fs::hard_link(&from, &to).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
            }
        }
    }
    std::fs::remove_dir_all(&private).expect("the cache is writable");
}

/// Makes `new/debs` a repository by apt-ftparchive, signed by a key made for it.
fn index(release: Release, new: &Path) {
    let codename = release.codename();
    let script = format!(
        r#"set -e
cd '{}'
export GNUPGHOME=$PWD/gnupg
mkdir -m 700 gnupg
gpg --batch --quiet --passphrase '' --quick-gen-key 'Debian packages for tests' ed25519 sign never 2>gnupg/log
gpg --batch --armor --export >key.asc
mkdir -p dists/{codename}/main/binary-amd64
apt-ftparchive packages debs >dists/{codename}/main/binary-amd64/Packages
cd dists/{codename}
apt-ftparchive -o APT::FTPArchive::Release::Origin=Debian -o APT::FTPArchive::Release::Label=Debian \
    -o APT::FTPArchive::Release::Codename={codename} -o APT::FTPArchive::Release::Suite={codename} \
    -o APT::FTPArchive::Release::Architectures=amd64 -o APT::FTPArchive::Release::Components=main release . >Release.new
mv Release.new Release
gpg --batch --clearsign --digest-algo SHA512 -o InRelease Release
gpgconf --kill all
rm -r "$GNUPGHOME"
chmod -R go+rX ../.. "#,
        new.display()
    );
    sh(&script, LONG);
}

/// The one-line apt sources of this machine that are Debian's own, turned to `release`: its mirror, its proxies.
fn debian_sources(release: Release) -> Vec<String> {
    static OWN: LazyLock<Vec<(String, String)>> = LazyLock::new(own_sources);
    let signed = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]";
    let sources: Vec<String> =
        OWN.iter().map(|(uri, tail)| format!("deb {signed} {uri} {}{tail} main", release.codename())).collect();
    assert!(
        !sources.is_empty(),
        "this machine has no apt source of its own Debian release: nothing to make trees from"
    );
    sources
}

/// The same as (URI, suite).
pub fn sources(release: Release) -> Vec<(String, String)> {
    debian_sources(release)
        .iter()
        .filter_map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
            [_, _, uri, suite, _] => Some((uri.to_owned(), suite.to_owned())),
            _ => None,
        })
        .collect()
}

/// (URI, what follows the codename in the suite) of each source of this machine's release.
fn own_sources() -> Vec<(String, String)> {
    let os = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let codename = os
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .map(|name| name.trim_matches('"').to_owned())
        .expect("/etc/os-release names the Debian release (VERSION_CODENAME)");
    let listed = run(
        Command::new("apt-get").args([
            "indextargets",
            "--format",
            "$(REPO_URI) $(RELEASE) $(COMPONENT)",
            "Created-By: Packages",
        ]),
        None,
        Duration::from_secs(60),
    )
    .ok("apt-get indextargets");
    let mut found = Vec::new();
    for line in listed.lines() {
        let [uri, suite, component] = line.split(' ').collect::<Vec<_>>()[..] else { continue };
        let Some(tail) = suite.strip_prefix(codename.as_str()) else { continue };
        let uri = uri.trim_end_matches('/').to_owned();
        if component == "main"
            && ["", "-updates", "-security"].contains(&tail)
            && !found.contains(&(uri.clone(), tail.to_owned()))
        {
            found.push((uri, tail.to_owned()));
        }
    }
    found
}

/// Year and month, such as `2026-11`.
fn month() -> String {
    static MONTH: LazyLock<String> = LazyLock::new(|| sh("date -u +%Y-%m", Duration::from_secs(10)).trim().to_owned());
    MONTH.clone()
}

fn digest<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize()[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `<cache>/<key>`, made by `make` in a directory beside it where it is not there yet. One maker at a time: the lock
/// belongs to the open file, so it parts threads as well as processes.
fn once(key: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let path = cache_directory().join(key);
    if path.exists() {
        return path;
    }
    std::fs::create_dir_all(cache_directory()).unwrap_or_else(|e| panic!("{}: {e}", cache_directory().display()));
    let lock = std::fs::File::create(cache_directory().join(format!("{key}.lock"))).expect("the cache is writable");
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).expect("the cache's lock");
    if !path.exists() {
        let new = cache_directory().join(format!("{key}.new"));
        drop(Command::new("rm").args(["-rf", "--one-file-system"]).arg(&new).output());
        std::fs::create_dir(&new).expect("the cache is writable");
        make(&new);
        std::fs::rename(&new, &path).expect("one file system");
        prune();
    }
    path
}

/// Removes what was made in a month before the last one: nothing uses it any more.
fn prune() {
    let last = sh("date -u -d \"$(date -u +%Y-%m-15) -1 month\" +%Y-%m", Duration::from_secs(10));
    for entry in std::fs::read_dir(cache_directory()).into_iter().flatten().flatten() {
        if let Some(month) = entry.file_name().to_str().and_then(month_in)
            && month < last.trim()
        {
            drop(Command::new("rm").args(["-rf", "--one-file-system"]).arg(entry.path()).output());
        }
    }
}

/// The month in a name of ours: `2026-11` in `tree-bookworm-2026-11-75281fad3b99`.
fn month_in(name: &str) -> Option<&str> {
    let rest = ["tree-", "pool-", "debs-"].iter().find_map(|kind| name.strip_prefix(kind))?;
    let month = rest.split_once('-')?.1.get(..7)?;
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    (digits(&month[..4]) && &month[4..5] == "-" && digits(&month[5..])).then_some(month)
}

#[test]
fn only_our_names_have_a_month() {
    assert_eq!(month_in("tree-bookworm-2026-11-75281fad3b99"), Some("2026-11"));
    assert_eq!(month_in("debs-trixie-2026-02"), Some("2026-02"));
    assert_eq!(month_in("pool-trixie-2026-02-0123456789ab.lock"), Some("2026-02"));
    assert_eq!(month_in("run"), None);
    assert_eq!(month_in("tree-bookworm-new"), None);
    assert_eq!(month_in("something-else-2026-02"), None);
}
