//! Base trees: Debian as it comes, without anything of a machine's own, kept in a cache and copied for each machine.
//!
//! A machine's tree has what every machine needs, its kernel and its boot loader; a container's has neither of those.
//! The kernel is Debian's cloud kernel (`linux-image-cloud-<architecture>`): it has the virtio drivers and all file
//! systems and leaves out hardware that a virtual machine never has, so it is a tenth of the modules to unpack and
//! boots sooner; a role that needs more (sound, PCI cards handed through) depends on `linux-image-<architecture>`. The
//! initramfs has the modules of the root file system and of virtio alone.
//!
//! In the cache:
//! ```text
//! lock              one maker at a time (flock(2): the kernel releases it)
//! apt/<key>/        package lists of a set of sources, by this machine's own ways to the mirrors
//! <key>-<n>/        a base: root/, the tree; state, the suites' signed state that it was found current for; lock
//! new/              one in the making; whatever is there when nobody holds the lock is left from a killed run
//! debs/<codename>/  packages that machines were given beyond their base, so that the next one need not download them
//! ```
//! A base is current as long as apt has nothing to upgrade in it. Asking that costs one conditional request a suite,
//! and apt's solver only where one of the suites has moved (the security suite does some times a day).

use super::apt::{Apt, AptError, INSTALL_LIMIT, hex, sources_text};
use super::probe::newest_kernel;
use super::{FileSystem, Firmware, Machine, Phase, Progress, Release, Source};
use crate::exec::{Command, ExecError};
use rustix::fs::FlockOperation;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// For how long a base is used when its mirror can't be asked whether it is current.
pub const OFFLINE: Duration = Duration::from_secs(7 * 24 * 3600);

/// For how long a base, or a package in the cache, is kept that nothing asks for.
const UNUSED: Duration = Duration::from_secs(30 * 24 * 3600);

/// The keyring of the package debian-archive-keyring, which apt depends on: it is in every tree, too.
const DEBIAN_KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// What is on every machine and in every container, beyond what Debian has everywhere (Priority: required, and apt).
const EVERYWHERE: &[&str] =
    &["ca-certificates", "dbus", "iproute2", "libpam-systemd", "openssh-server", "procps", "systemd-sysv"];

/// What makes a tree out of packages the same again: a change of what is done below needs another number.
const RECIPE: &str = "1";

/// What a base is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseRequest {
    pub release: Release,
    /// Debian's name of the architecture: `amd64`.
    pub architecture: String,
    pub kind: Kind,
    /// What the sources' Release files are signed with: [`BaseRequest::of`] takes Debian's where the release names none.
    pub keyring: PathBuf,
}

/// What a tree is run as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// By the hypervisor's kernel: no kernel, no boot loader.
    Container,
    Machine {
        firmware: Firmware,
        /// The root's: its module is in the initramfs.
        root: FileSystem,
        /// All disks': their programs are in the tree.
        file_systems: BTreeSet<FileSystem>,
    },
}

impl BaseRequest {
    /// What `machine` needs.
    pub fn of(machine: &Machine, container: bool) -> BaseRequest {
        let kind = match machine.disks.first() {
            Some(first) if !container => Kind::Machine {
                firmware: machine.firmware,
                root: first.file_system,
                file_systems: machine.disks.iter().map(|disk| disk.file_system).collect(),
            },
            _ => Kind::Container,
        };
        BaseRequest {
            release: machine.release.clone(),
            architecture: machine.architecture.clone(),
            kind,
            keyring: machine.release.keyring.clone().unwrap_or_else(|| DEBIAN_KEYRING.into()),
        }
    }

    /// What is installed, sorted, beyond what Debian has everywhere.
    pub fn packages(&self) -> Vec<String> {
        let mut names: Vec<String> = EVERYWHERE.iter().map(|&name| name.to_owned()).collect();
        if let Kind::Machine { firmware, file_systems, .. } = &self.kind {
            names.push(format!("linux-image-cloud-{}", self.architecture));
            names.extend(["initramfs-tools", "kmod", "udev", "zstd"].map(str::to_owned));
            names.extend(match firmware {
                Firmware::Bios => vec!["grub-pc".to_owned()],
                Firmware::Uefi => vec![format!("grub-efi-{}", self.architecture), "dosfstools".to_owned()],
            });
            names.extend(file_systems.iter().map(|file_system| programs_of(*file_system).to_owned()));
        }
        names.sort();
        names
    }

    /// The release's sources, Debian's own where none is named.
    pub fn sources(&self) -> Vec<Source> {
        if !self.release.sources.is_empty() {
            return self.release.sources.clone();
        }
        let codename = &self.release.codename;
        let source = |path: &str, suite: String| Source {
            uri: format!("http://deb.debian.org/{path}"),
            suite,
            components: vec!["main".to_owned()],
        };
        vec![
            source("debian", codename.clone()),
            source("debian", format!("{codename}-updates")),
            source("debian-security", format!("{codename}-security")),
        ]
    }

    /// What stands for it in file names: two requests for the same tree have the same.
    fn key(&self) -> String {
        let (kind, root) = match &self.kind {
            Kind::Container => ("container", None),
            Kind::Machine { firmware: Firmware::Bios, root, .. } => ("bios", Some(root)),
            Kind::Machine { firmware: Firmware::Uefi, root, .. } => ("uefi", Some(root)),
        };
        let parts = [RECIPE.to_owned(), format!("{root:?}"), self.packages().join(" "), self.sources_key()];
        format!("{}-{}-{kind}-{}", self.release.codename, self.architecture, digest(&parts))
    }

    /// The same for its sources.
    fn sources_key(&self) -> String {
        digest(&[sources_text(&self.sources(), Some(&self.architecture), &self.keyring)])
    }
}

/// The package with the programs of a file system (fsck, resizing).
fn programs_of(file_system: FileSystem) -> &'static str {
    match file_system {
        FileSystem::Ext4 => "e2fsprogs",
        FileSystem::Btrfs => "btrfs-progs",
        FileSystem::Xfs => "xfsprogs",
    }
}

fn digest(parts: &[String]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex(&hash.finalize()[..6])
}

/// A base tree. It is not removed from the cache while this is there.
#[derive(Debug)]
pub struct Base {
    /// Its root directory. Never to be written to.
    pub tree: PathBuf,
    pub kind: Kind,
    /// Where packages that machines are given are kept for the next one.
    pub(super) debs: PathBuf,
    /// The package lists of its sources.
    pub(super) lists: PathBuf,
    pub(super) keyring: PathBuf,
    pub(super) sources: Vec<Source>,
    pub(super) architecture: String,
    _lock: File,
}

#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    #[error("making a machine's tree needs root: run it with sudo")]
    NotRoot,
    #[error("there is no keyring {}: {}", .0.display(), match .0 == Path::new(DEBIAN_KEYRING) {
        true => "install it with: apt-get install debian-archive-keyring",
        false => "put it there, or name another one as signed_by under [release.…] in debrole.toml",
    })]
    NoKeyring(PathBuf),
    #[error(
        "a machine's disk can be made for amd64 only, not for {0}: use accel = [\"nspawn\"], or set its architecture to \
         amd64"
    )]
    Architecture(String),
    #[error("can't {what} {}: {source}", path.display())]
    File { what: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    Apt(#[from] AptError),
    #[error("no base tree of {release} was made: {words}")]
    Mmdebstrap { release: String, words: String },
    #[error(transparent)]
    Exec(#[from] ExecError),
}

fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BaseError {
    let path = path.to_owned();
    move |source| BaseError::File { what, path, source }
}

/// The base tree for `request`: the one in `cache` where it is current, else a new one. Others that want one at the
/// same time wait. Where the mirror can't be asked, one that was current less than [`OFFLINE`] ago will do, and
/// `progress` is told so.
pub fn base(cache: &Path, request: &BaseRequest, progress: &dyn Progress) -> Result<Base, BaseError> {
    if !rustix::process::geteuid().is_root() {
        return Err(BaseError::NotRoot);
    }
    if request.kind != Kind::Container && request.architecture != "amd64" {
        return Err(BaseError::Architecture(request.architecture.clone()));
    }
    if !request.keyring.is_file() {
        return Err(BaseError::NoKeyring(request.keyring.clone()));
    }
    progress.phase(Phase::Base, &format!("Debian {}", request.release.codename));
    // apt and mmdebstrap take paths from elsewhere than where they are started.
    let cache = &std::path::absolute(cache).map_err(file("find", cache))?;
    fs::create_dir_all(cache).map_err(file("make", cache))?;
    let making = lock(&cache.join("lock"), FlockOperation::LockExclusive)?;
    remove(&cache.join("new"))?;
    let key = request.key();
    let newest = newest(cache, &key);
    let lists = cache.join("apt").join(request.sources_key());
    let debs = cache.join("debs").join(&request.release.codename);
    let sources = request.sources();
    let apt = Apt::create(&lists, &request.architecture, &lists.join("status"), &debs)?;
    apt.write("status", "")?;
    apt.write(
        "etc/sources.list.d/debian.sources",
        &sources_text(&sources, Some(&request.architecture), &request.keyring),
    )?;
    let updated = {
        // Machines' trees are made with these lists, meanwhile.
        let _changing = lock(&lists.join("changing"), FlockOperation::LockExclusive)?;
        apt.update(&sources, "debian.sources")
    };
    let tree = match (updated, newest) {
        (Ok(()), Some(found)) if current(&apt, &found)? => found,
        (Ok(()), found) => {
            let number = found.map_or(0, |found| found.number) + 1;
            make(cache, &key, number, request, &apt, progress)?
        }
        (Err(AptError::Update { words, .. }), Some(found)) if found.age() < OFFLINE => {
            progress.say(&format!(
                "the mirror can't be asked ({words}): the base tree is used that was current {} ago",
                ago(found.age())
            ));
            found
        }
        (Err(error), _) => return Err(error.into()),
    };
    let used = lock(&tree.directory.join("lock"), FlockOperation::LockShared)?;
    prune(cache, &key, tree.number);
    drop(making);
    Ok(Base {
        tree: tree.directory.join("root"),
        kind: request.kind.clone(),
        debs,
        lists,
        keyring: request.keyring.clone(),
        sources,
        architecture: request.architecture.clone(),
        _lock: used,
    })
}

/// The kernel of the tree for `request` that is in `cache`, if there is one, to try guests with: nothing is made, and
/// nobody is asked whether it is current.
pub fn kernel(cache: &Path, request: &BaseRequest) -> Option<PathBuf> {
    newest_kernel(&newest(cache, &request.key())?.directory.join("root/boot"))
}

/// The newest kernel of all trees in `cache`, whatever they are for.
pub fn any_kernel(cache: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(cache).ok()?.flatten();
    let kernels = entries.filter_map(|entry| newest_kernel(&entry.path().join("root/boot")));
    kernels.max_by_key(|kernel| fs::metadata(kernel).and_then(|meta| meta.modified()).ok())
}

/// A base in the cache.
struct Found {
    directory: PathBuf,
    number: u32,
}

impl Found {
    /// Since it was last found to be current.
    fn age(&self) -> Duration {
        let written = fs::metadata(self.directory.join("state")).and_then(|state| state.modified());
        written.ok().and_then(|time| SystemTime::now().duration_since(time).ok()).unwrap_or_default()
    }
}

fn newest(cache: &Path, key: &str) -> Option<Found> {
    let entries = fs::read_dir(cache).ok()?.flatten();
    let found = entries.filter_map(|entry| {
        let name = entry.file_name();
        let number = name.to_str()?.strip_prefix(key)?.strip_prefix('-')?.parse().ok()?;
        Some(Found { directory: entry.path(), number })
    });
    found.max_by_key(|found| found.number)
}

/// Whether apt has nothing to upgrade in it. Where no suite has moved since that was asked, it need not be asked again.
fn current(apt: &Apt, found: &Found) -> Result<bool, BaseError> {
    let path = found.directory.join("state");
    let state = apt.state()?;
    let known = fs::read_to_string(&path).unwrap_or_default();
    if known != state {
        let status = format!("Dir::State::status={}", found.directory.join("root/var/lib/dpkg/status").display());
        // Kept back is what a new dependency would come with, such as a new kernel: dist-upgrade has it.
        let output = apt
            .command("apt-get")
            .args(["-qq", "-o", &status, "-o", "Debug::NoLocking=true", "-o", "Dir::Cache::archives=/nonexistent/"])
            .args(["--no-install-recommends", "--print-uris", "dist-upgrade"])
            .run()?;
        // What apt can't even reckon with is no base.
        if !output.success() || !output.stdout_text().trim().is_empty() {
            return Ok(false);
        }
    }
    // Also where it says the same: its time is that of the last answer.
    fs::write(&path, state).map_err(file("write", &path))?;
    Ok(true)
}

fn make(
    cache: &Path,
    key: &str,
    number: u32,
    request: &BaseRequest,
    apt: &Apt,
    progress: &dyn Progress,
) -> Result<Found, BaseError> {
    progress.say("making the base tree, which later machines share");
    let new = cache.join("new");
    let made = populate(&new, request, apt).and_then(|()| {
        let directory = cache.join(format!("{key}-{number}"));
        // What is renamed is to be on the disk: after a power cut a base is whole or not there.
        let disk = File::open(&new).map_err(file("open", &new))?;
        rustix::fs::syncfs(&disk).map_err(|e| file("sync", &new)(e.into()))?;
        fs::rename(&new, &directory).map_err(file("rename", &new))?;
        Ok(Found { directory, number })
    });
    if made.is_err() {
        // What it was that went wrong is told, not that its rests could not be removed: the next run does.
        let _ = remove(&new);
    }
    made
}

fn populate(new: &Path, request: &BaseRequest, apt: &Apt) -> Result<(), BaseError> {
    let write = |path: PathBuf, text: &str| fs::write(&path, text).map_err(file("write", &path));
    fs::create_dir_all(new).map_err(file("make", new))?;
    write(new.join("lock"), "")?;
    write(new.join("state"), &apt.state()?)?;
    write(new.join("sources"), &sources_text(&request.sources(), Some(&request.architecture), &request.keyring))?;
    write(new.join("setup"), SETUP)?;
    write(new.join("tidy"), TIDY)?;
    let root = match &request.kind {
        Kind::Machine { root, .. } => module(*root),
        Kind::Container => "",
    };
    let boot_loader = match &request.kind {
        Kind::Machine { firmware: Firmware::Bios, .. } => "bios",
        Kind::Machine { firmware: Firmware::Uefi, .. } => "uefi",
        Kind::Container => "",
    };
    let quoted = |path: &Path| format!("'{}'", path.display());
    let output = Command::new("mmdebstrap")
        .args(["--mode=root", "--variant=minbase", "--format=directory", "--quiet"])
        .arg(format!("--architectures={}", request.architecture))
        .arg(format!("--include={}", request.packages().join(",")))
        .arg(format!("--keyring={}", request.keyring.display()))
        // The package lists are here already.
        .arg("--skip=update,cleanup/apt/lists")
        .args(["--aptopt=APT::Install-Recommends \"false\"", "--aptopt=Acquire::Languages \"none\""])
        .args(["--dpkgopt=force-unsafe-io", "--dpkgopt=force-confold"])
        .arg(format!("--setup-hook=sh {} \"$1\" {} '{root}'", quoted(&new.join("setup")), quoted(&apt.path("lists"))))
        .arg(format!("--customize-hook=sh {} \"$1\" '{boot_loader}'", quoted(&new.join("tidy"))))
        .arg(&request.release.codename)
        .arg(new.join("root"))
        .arg(new.join("sources"))
        .limit(INSTALL_LIMIT)
        .run()?;
    if !output.success() {
        let release = format!("Debian {}", request.release.codename);
        let words = last_words(&output.stderr_text()) + &room(new);
        return Err(BaseError::Mmdebstrap { release, words });
    }
    // Debian's keyring is in the tree; another one goes along.
    let mut keyring = request.keyring.clone();
    if keyring != Path::new(DEBIAN_KEYRING) {
        let name = format!("mirror.{}", keyring.extension().and_then(|e| e.to_str()).unwrap_or("gpg"));
        keyring = Path::new("/etc/apt/keyrings").join(&name);
        fs::create_dir_all(new.join("root/etc/apt/keyrings")).map_err(file("make", new))?;
        let to = new.join("root/etc/apt/keyrings").join(&name);
        fs::copy(&request.keyring, &to).map_err(file("write", &to))?;
    }
    let sources = new.join("root/etc/apt/sources.list.d/debian.sources");
    write(sources, &sources_text(&request.sources(), None, &keyring))?;
    for name in ["setup", "tidy", "sources"] {
        fs::remove_file(new.join(name)).map_err(file("remove", &new.join(name)))?;
    }
    Ok(())
}

/// The kernel module of a file system.
fn module(file_system: FileSystem) -> &'static str {
    match file_system {
        FileSystem::Ext4 => "ext4",
        FileSystem::Btrfs => "btrfs",
        FileSystem::Xfs => "xfs",
    }
}

/// Before packages come: what their scripts go by.
const SETUP: &str = r#"set -e
root=$1 lists=$2 module=$3
mkdir -p "$root/var/lib/apt/lists"
find "$lists" -maxdepth 1 -type f ! -name lock -exec cp -p -t "$root/var/lib/apt/lists" {} +
mkdir -p "$root/etc"
: >"$root/etc/machine-id"
# Nothing is to start here; the boot loader is put on disks by hand.
mkdir -p "$root/usr/sbin" "$root/etc/ssh/sshd_config.d"
printf 'HostKey /etc/ssh/ssh_host_ed25519_key\n' >"$root/etc/ssh/sshd_config.d/10-host-key.conf"
[ -n "$module" ] || exit 0
mkdir -p "$root/etc/initramfs-tools/conf.d"
printf 'MODULES=list\n' >"$root/etc/initramfs-tools/conf.d/modules"
cat >"$root/etc/initramfs-tools/modules" <<END
# The disk of a virtual machine and its root file system. More may be added; then run: update-initramfs -u
virtio_pci
virtio_blk
virtio_scsi
sd_mod
$module
END
"#;

/// After them: nothing of this machine, and nothing that two machines must not share.
const TIDY: &str = r#"set -e
cd "$1"
# Where later versions of the boot loader go: a machine's first disk, and the path that firmware looks at by itself.
case $2 in
bios) echo 'grub-pc grub-pc/install_devices multiselect /dev/vda' | chroot . debconf-set-selections ;;
uefi) printf 'grub-efi-amd64 grub2/%s boolean %s\n' force_efi_extra_removable true update_nvram false | chroot . debconf-set-selections ;;
esac
rm -f etc/ssh/ssh_host_* etc/resolv.conf etc/hostname etc/hosts etc/apt/sources.list etc/apt/sources.list.d/*
rm -f etc/apt/apt.conf.d/99mmdebstrap etc/dpkg/dpkg.cfg.d/99mmdebstrap
rm -rf var/lib/apt/lists var/cache/apt/*.bin var/cache/apt/archives/*.deb
mkdir -p var/lib/apt/lists/partial var/cache/apt/archives/partial etc/apt/sources.list.d
rm -f var/lib/dbus/machine-id var/lib/systemd/random-seed var/log/alternatives.log var/log/bootstrap.log
rm -f var/log/dpkg.log var/log/apt/*.log var/log/apt/*.xz var/cache/debconf/*-old var/lib/dpkg/*-old
rm -rf tmp/* var/tmp/* run/*
: >etc/machine-id
printf '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\nff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n' >etc/hosts
# No password at all, which is not the same as an empty one.
sed -i 's/^root:[^:]*:/root:*:/' etc/shadow
"#;

/// The last lines that a person should see of mmdebstrap's.
fn last_words(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let errors: Vec<&str> = lines
        .iter()
        .copied()
        .filter(|line| ["E: ", "W: ", "dpkg: error", "cp: ", "tar: "].iter().any(|mark| line.starts_with(mark)))
        .chain(lines.iter().copied().filter(|line| line.contains("No space left on device")))
        .collect();
    let told = if errors.is_empty() { &lines } else { &errors };
    let mut shown: Vec<&str> = Vec::new();
    for line in &told[told.len().saturating_sub(6)..] {
        if !shown.contains(line) {
            shown.push(line);
        }
    }
    shown.join("\n")
}

/// What a base tree takes while it is made, in bytes: the tree, its packages, the lists.
const TAKES: u64 = 1 << 30;

/// A full disk has many voices (apt's, dpkg's, tar's); here it has one.
fn room(path: &Path) -> String {
    match rustix::fs::statvfs(path) {
        Ok(disk) if disk.f_bavail * disk.f_frsize < TAKES => format!(
            "\nthere are {} MiB of space left in {}, and a base tree needs {}: make room, or name another cache",
            (disk.f_bavail * disk.f_frsize) >> 20,
            path.parent().unwrap_or(path).display(),
            TAKES >> 20,
        ),
        _ => String::new(),
    }
}

fn ago(age: Duration) -> String {
    match age.as_secs() / 3600 {
        0 => "less than an hour".to_owned(),
        1 => "an hour".to_owned(),
        hours if hours < 48 => format!("{hours} hours"),
        hours => format!("{} days", hours / 24),
    }
}

/// flock(2) on a file; waits.
pub(super) fn lock(path: &Path, operation: FlockOperation) -> Result<File, BaseError> {
    let opened = File::options().create(true).append(true).open(path).map_err(file("open", path))?;
    rustix::fs::flock(&opened, operation).map_err(|e| file("lock", path)(e.into()))?;
    Ok(opened)
}

/// Removes a directory with all that is in it, where it is there; never what is mounted in it.
pub(super) fn remove(path: &Path) -> Result<(), BaseError> {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    Command::new("rm").args(["-rf", "--one-file-system", "--"]).arg(path).run_ok()?;
    Ok(())
}

/// Removes what came before base `number` of `key`, bases and packages that nothing has asked for in [`UNUSED`]. A base
/// that is being copied stays until a later time.
fn prune(cache: &Path, key: &str, number: u32) {
    let old = |path: &Path| {
        let written = fs::metadata(path).and_then(|data| data.modified());
        written.ok().and_then(|time| SystemTime::now().duration_since(time).ok()).is_some_and(|age| age > UNUSED)
    };
    for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let Some((of, n)) = name.to_str().and_then(|name| name.rsplit_once('-')) else { continue };
        let Ok(n) = n.parse::<u32>() else { continue };
        let goes = if of == key { n < number } else { old(&path.join("state")) };
        let Ok(opened) = File::open(path.join("lock")) else { continue };
        if goes && rustix::fs::flock(&opened, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = remove(&path);
        }
    }
    for release in fs::read_dir(cache.join("debs")).into_iter().flatten().flatten() {
        for entry in fs::read_dir(release.path()).into_iter().flatten().flatten() {
            if entry.path().is_file() && old(&entry.path()) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}
