//! A machine's own tree: a copy of its base with its name, its host key and its packages.
//!
//! Packages are downloaded by this machine's apt, by its own ways to the mirrors, and installed by the tree's own dpkg
//! in namespaces without a network. The fleet's repository is read where it lies; what the machine asks later is what
//! its keyring package says. Services don't start (policy-rc.d(8) says 101): they do at the first boot.

use super::apt::{Apt, AptError, INSTALL_LIMIT, complaints, sources_text};
use super::base::{Base, BaseError, lock, remove};
use super::chroot::{self, Mount};
use super::{Identity, Machine, Phase, Progress, Repository, Source};
use crate::exec::{Command, ExecError};
use rustix::fs::FlockOperation;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

/// Runs at the first boot, until the machine is ready; then removes itself.
const FIRST_BOOT: &str = include_str!("first-boot.sh");
const FIRST_BOOT_UNIT: &str = include_str!("first-boot.service");

/// Where that and its word are on the machine, for root alone.
const FIRST_BOOT_DIRECTORY: &str = "var/lib/first-boot";

/// Timers that wait until the machine is ready: apt's lock is the first boot's until then.
const HELD: &[&str] = &["apt-daily.timer", "apt-daily-upgrade.timer"];
/// Those of the fleet's runtime, after its prefix.
const HELD_OF_FLEET: &[&str] = &["refresh.timer", "refresh-keyring.timer"];

/// A machine's tree, complete but for what depends on its disks.
#[derive(Debug, Clone)]
pub struct InstalledTree {
    pub path: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    #[error("{} is there already: remove it, or name another place for the machine's tree", .0.display())]
    There(PathBuf),
    #[error("can't {what} {}: {source}", path.display())]
    File { what: &'static str, path: PathBuf, source: io::Error },
    #[error("the base tree was not copied to {}: {words}", into.display())]
    Copy { into: PathBuf, words: String },
    #[error("there is no {}: build and publish the fleet first (debrole build)", .0.display())]
    NoRepository(PathBuf),
    #[error("{name}: {packages} can't be had: {words}")]
    Download { name: String, packages: String, words: String },
    #[error("{name}: {packages} can't be installed: {words}")]
    Packages { name: String, packages: String, words: String },
    #[error(transparent)]
    Apt(#[from] AptError),
    #[error(transparent)]
    Base(#[from] BaseError),
    #[error(transparent)]
    Exec(#[from] ExecError),
}

fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> InstallError {
    let path = path.to_owned();
    move |source| InstallError::File { what, path, source }
}

/// Makes the tree of `machine` at `into`, which must not be there yet. It is made under other names beside that
/// (`into.new`, `into.apt`) and renamed, so that what is at `into` is whole; what a killed run left there is removed.
pub fn install(
    base: &Base,
    machine: &Machine,
    identity: &Identity,
    repository: &Repository,
    into: &Path,
    progress: &dyn Progress,
) -> Result<InstalledTree, InstallError> {
    progress.phase(Phase::Install, &repository.packages.join(" "));
    let into = &std::path::absolute(into).map_err(file("find", into))?;
    let directory = std::path::absolute(&repository.directory).map_err(file("find", &repository.directory))?;
    let repository = &Repository { directory, ..repository.clone() };
    if into.symlink_metadata().is_ok() {
        return Err(InstallError::There(into.to_owned()));
    }
    for part in [repository.directory.join("dists"), repository.keyring.clone()] {
        if !part.exists() {
            return Err(InstallError::NoRepository(part));
        }
    }
    let beside = |ending: &str| {
        let mut name = into.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let (new, work) = (beside(".new"), beside(".apt"));
    let clear = || remove(&new).and_then(|()| remove(&work));
    clear()?;
    let made = copy(base, &new)
        .and_then(|()| name(&new, machine, identity, &repository.prefix))
        .and_then(|()| packages(base, &new, &work, machine, repository, progress))
        .and_then(|()| finish(&new))
        .and_then(|()| fs::rename(&new, into).map_err(file("rename", &new)));
    let cleared = clear();
    made?;
    cleared?;
    Ok(InstalledTree { path: into.to_owned() })
}

fn copy(base: &Base, new: &Path) -> Result<(), InstallError> {
    let output = Command::new("cp").args(["-a", "--reflink=auto", "--"]).arg(&base.tree).arg(new).limit(INSTALL_LIMIT);
    let output = output.run()?;
    if output.success() {
        return Ok(());
    }
    let words = output.stderr_text().lines().next().unwrap_or_default().to_owned();
    Err(InstallError::Copy { into: new.to_owned(), words })
}

fn write(tree: &Path, at: &str, bytes: &[u8], mode: u32) -> Result<(), InstallError> {
    let path = tree.join(at);
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(file("make", directory))?;
    }
    let result = fs::File::options().write(true).create(true).truncate(true).mode(mode).open(&path);
    let written = result.and_then(|mut opened| {
        opened.write_all(bytes)?;
        // Whatever the umask says.
        opened.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))
    });
    written.map_err(file("write", &path))
}

/// What makes the tree this machine's: the host package asks for its name before anything else.
fn name(tree: &Path, machine: &Machine, identity: &Identity, prefix: &str) -> Result<(), InstallError> {
    let short = machine.name.split('.').next().unwrap_or(&machine.name);
    let hosts = tree.join("etc/hosts");
    let others = fs::read_to_string(&hosts).map_err(file("read", &hosts))?;
    let (local, rest) = others.split_once('\n').unwrap_or((&others, ""));
    let own = if short == machine.name { short.to_owned() } else { format!("{} {short}", machine.name) };
    write(tree, "etc/hosts", format!("{local}\n127.0.1.1 {own}\n{rest}").as_bytes(), 0o644)?;
    write(tree, "etc/hostname", format!("{short}\n").as_bytes(), 0o644)?;
    write(tree, "etc/ssh/ssh_host_ed25519_key", &identity.host_key, 0o600)?;
    let public = format!("{}\n", identity.host_key_public.trim_end());
    write(tree, "etc/ssh/ssh_host_ed25519_key.pub", public.as_bytes(), 0o644)?;
    write(tree, "usr/sbin/policy-rc.d", b"#!/bin/sh\nexit 101\n", 0o755)?;

    let directory = tree.join(FIRST_BOOT_DIRECTORY);
    fs::create_dir_all(&directory).map_err(file("make", &directory))?;
    fs::set_permissions(&directory, std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .map_err(file("make", &directory))?;
    let timers: Vec<String> = HELD
        .iter()
        .map(|&timer| timer.to_owned())
        .chain(HELD_OF_FLEET.iter().map(|timer| format!("{prefix}-{timer}")))
        .collect();
    let script = FIRST_BOOT.replace("@PREFIX@", prefix).replace("@TIMERS@", &timers.join(" "));
    write(tree, &format!("{FIRST_BOOT_DIRECTORY}/run"), script.as_bytes(), 0o700)?;
    write(tree, &format!("{FIRST_BOOT_DIRECTORY}/word"), format!("{}\n", identity.word).as_bytes(), 0o600)?;
    write(tree, "etc/systemd/system/first-boot.service", FIRST_BOOT_UNIT.as_bytes(), 0o644)?;
    let wanted = tree.join("etc/systemd/system/multi-user.target.wants");
    fs::create_dir_all(&wanted).map_err(file("make", &wanted))?;
    let link = wanted.join("first-boot.service");
    symlink("/etc/systemd/system/first-boot.service", &link).map_err(file("make", &link))?;
    for timer in timers {
        let text = "[Unit]\nConditionPathExists=!/var/lib/first-boot/word\n";
        write(tree, &format!("etc/systemd/system/{timer}.d/first-boot.conf"), text.as_bytes(), 0o644)?;
    }
    Ok(())
}

fn packages(
    base: &Base,
    tree: &Path,
    work: &Path,
    machine: &Machine,
    repository: &Repository,
    progress: &dyn Progress,
) -> Result<(), InstallError> {
    let prefix = &repository.prefix;
    let archives = work.join("archives");
    let apt = Apt::create(work, &base.architecture, &tree.join("var/lib/dpkg/status"), &archives)?;
    shared(&base.debs, &archives)?;
    // Its key and its preferences count from the first package on, as they do on a machine that joins.
    let keyring = archives.join("keyring.deb");
    fs::copy(&repository.keyring, &keyring).map_err(file("write", &keyring))?;
    let mount = Mount { over: &archives.to_string_lossy(), at: "var/cache/apt/archives" };
    let script = "exec chroot \"$root\" dpkg --force-unsafe-io -i /var/cache/apt/archives/keyring.deb";
    let installed = chroot::beside(tree, mount, script, &[]).run()?;
    fs::remove_file(&keyring).map_err(file("remove", &keyring))?;
    if !installed.success() {
        let words = format!("{}{}", installed.stdout_text(), installed.stderr_text());
        let packages = format!("{prefix}-archive-keyring");
        return Err(InstallError::Packages { name: machine.name.clone(), packages, words: dpkg_words(&words) });
    }
    let preferences = tree.join(format!("usr/share/{prefix}/{prefix}.pref"));
    let text = fs::read_to_string(&preferences).map_err(file("read", &preferences))?;
    apt.write(&format!("etc/preferences.d/{prefix}.pref"), &text)?;

    let key = tree.join(format!("usr/share/keyrings/{prefix}-archive-keyring.gpg"));
    let own = [Source {
        uri: format!("copy:{}", escaped(&repository.directory)),
        suite: machine.release.codename.clone(),
        components: vec!["main".to_owned()],
    }];
    let architecture = Some(base.architecture.as_str());
    apt.write("etc/sources.list.d/debian.sources", &sources_text(&base.sources, architecture, &base.keyring))?;
    apt.write("etc/sources.list.d/fleet.sources", &sources_text(&own, architecture, &key))?;
    {
        // Not while another run of ours fetches new ones.
        let _whole = lock(&base.lists.join("changing"), FlockOperation::LockShared)?;
        lists(&base.lists, &apt.path("lists"))?;
    }
    apt.update(&own, "fleet.sources")?;

    let mut wanted = repository.packages.clone();
    let recommended = recommended(&apt, repository)?;
    wanted.extend(recommended.iter().cloned());
    let names = repository.packages.join(" ");
    let log = format!("Dir::Log={}", tree.join("var/log/apt").display());
    let states = format!("Dir::State::extended_states={}", tree.join("var/lib/apt/extended_states").display());
    let options = ["-q=1", "-o", &log, "-o", &states, "--no-install-recommends", "install"];
    let download = apt.command("apt-get").args(options).arg("--download-only").args(&wanted);
    let output = download.limit(INSTALL_LIMIT).run()?;
    if !output.success() {
        let words = complaints(&format!("{}\n{}", output.stdout_text(), output.stderr_text()));
        let unmet = unmet(&output.stdout_text());
        return Err(InstallError::Download { name: machine.name.clone(), packages: names, words: unmet + &words });
    }
    if let Some(line) = output.stdout_text().lines().find(|line| line.contains("newly installed")) {
        progress.say(line);
    }

    let root = tree.to_string_lossy();
    let inside = format!("{root}/var/cache/apt/archives/");
    let script = r#"
export APT_CONFIG="$1"
root_option="DPkg::Chroot-Directory=$root" archives="Dir::Cache::archives=$2"
shift 2
exec apt-get -o "$root_option" -o "$archives" -o DPkg::Options::=--force-unsafe-io -o DPkg::Options::=--force-confold \
    -o DPkg::Use-Pty=false "$@"
"#;
    let configuration = apt.path("apt.conf");
    let configuration = configuration.to_string_lossy();
    let mut arguments: Vec<&str> = vec![&configuration, &inside];
    arguments.extend(options);
    arguments.push("--no-download");
    arguments.extend(wanted.iter().map(String::as_str));
    let output = chroot::beside(tree, mount, script, &arguments).limit(INSTALL_LIMIT).run()?;
    if !output.success() {
        let words = dpkg_words(&format!("{}\n{}", output.stdout_text(), output.stderr_text()));
        return Err(InstallError::Packages { name: machine.name.clone(), packages: names, words });
    }
    if !recommended.is_empty() {
        // Nobody asked for them by name: they go with what recommends them.
        apt.command("apt-mark").args(["-qq", "-o", &states, "auto"]).args(&recommended).run_ok()?;
    }
    keep(&archives, &base.debs, prefix)
}

/// What the fleet's own packages recommend of what can be had, the first of alternatives. A tree names what its machines
/// are to have; what packages of Debian recommend beyond that (half as many again, fonts and compilers among them) is
/// for whoever installs one by hand.
fn recommended(apt: &Apt, repository: &Repository) -> Result<Vec<String>, InstallError> {
    let simulated = apt
        .command("apt-get")
        .args(["-qq", "--no-install-recommends", "-s", "install"])
        .args(&repository.packages)
        .run()?;
    let own = format!("{}-", repository.prefix);
    let text = simulated.stdout_text();
    let installed = text.lines().filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next());
    let ours: Vec<&str> = installed.filter(|name| name.starts_with(&own)).collect();
    // What can't be installed is told when it is tried.
    if !simulated.success() || ours.is_empty() {
        return Ok(Vec::new());
    }
    let show = |names: &[&str]| apt.command("apt-cache").args(["--no-all-versions", "show"]).args(names).run();
    let shown = show(&ours)?.stdout_text();
    let groups: Vec<Vec<&str>> = shown
        .lines()
        .filter_map(|line| line.strip_prefix("Recommends: "))
        .flat_map(|relations| relations.split(", "))
        .map(|group| group.split(" | ").filter_map(|name| name.split([' ', ':']).next()).collect())
        .collect();
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let known = show(&groups.concat())?.stdout_text();
    let known: BTreeSet<&str> = known.lines().filter_map(|line| line.strip_prefix("Package: ")).collect();
    let chosen = groups.iter().filter_map(|group| group.iter().find(|name| known.contains(**name)));
    Ok(chosen.map(|&name| name.to_owned()).collect::<BTreeSet<_>>().into_iter().collect())
}

/// The package lists of the base's sources: links, because they are never written to (apt renames).
fn lists(from: &Path, to: &Path) -> Result<(), InstallError> {
    let lists = from.join("lists");
    for entry in fs::read_dir(&lists).map_err(file("read", &lists))?.flatten() {
        let path = entry.path();
        if path.is_file() && entry.file_name() != "lock" {
            link(&path, &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// A hard link, or a copy where that can't be.
fn link(from: &Path, to: &Path) -> Result<(), InstallError> {
    match fs::hard_link(from, to) {
        Err(e) if e.kind() == io::ErrorKind::CrossesDevices => fs::copy(from, to).map(drop).map_err(file("write", to)),
        other => other.map_err(file("write", to)),
    }
}

/// What other machines were given need not be downloaded again.
fn shared(debs: &Path, archives: &Path) -> Result<(), InstallError> {
    for entry in fs::read_dir(debs).map_err(file("read", debs))?.flatten() {
        if entry.path().is_file() && entry.path().extension().is_some_and(|e| e == "deb") {
            match link(&entry.path(), &archives.join(entry.file_name())) {
                // Another machine's run has just removed it, unused for long.
                Err(InstallError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
    }
    Ok(())
}

/// Keeps for the next machine what this one was given of Debian. What is ours may have other bytes under the same name
/// in another fleet's repository.
fn keep(archives: &Path, debs: &Path, prefix: &str) -> Result<(), InstallError> {
    for entry in fs::read_dir(archives).map_err(file("read", archives))?.flatten() {
        let name = entry.file_name();
        let ours = name.to_string_lossy().starts_with(&format!("{prefix}-"));
        if !ours && entry.path().extension().is_some_and(|e| e == "deb") {
            match link(&entry.path(), &debs.join(&name)) {
                Err(InstallError::File { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {}
                other => other?,
            }
        }
    }
    Ok(())
}

/// A path in a URI.
fn escaped(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let mut text = String::new();
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~+".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// apt's list of what does not fit, which it writes to standard output.
fn unmet(stdout: &str) -> String {
    let mut lines = stdout.lines().skip_while(|line| !line.starts_with("The following packages have unmet"));
    let _ = lines.next();
    let told: Vec<&str> = lines.map(str::trim).take_while(|line| !line.is_empty()).collect();
    if told.is_empty() { String::new() } else { format!("{}; ", told.join("; ")) }
}

/// What of dpkg's and apt's words says why.
fn dpkg_words(all: &str) -> String {
    let lines: Vec<&str> = all.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let first = lines.iter().position(|line| line.starts_with("dpkg: error") || line.starts_with("E: "));
    // The script that failed spoke just before.
    let from = first.unwrap_or(lines.len()).saturating_sub(5);
    let to = lines.len().min(from + 12);
    lines[from..to].join("\n")
}

/// What was there for making it only, and what no two machines may share.
fn finish(tree: &Path) -> Result<(), InstallError> {
    let script = r#"set -e
rm -f usr/sbin/policy-rc.d
find etc/ssh -name 'ssh_host_*' ! -name ssh_host_ed25519_key ! -name ssh_host_ed25519_key.pub -delete
rm -f var/lib/dbus/machine-id var/lib/systemd/random-seed var/cache/apt/*.bin
rm -f var/cache/debconf/*-old var/lib/dpkg/*-old
: >etc/machine-id
"#;
    Command::new("sh").args(["-c", script]).directory(tree).run_ok()?;
    Ok(())
}
