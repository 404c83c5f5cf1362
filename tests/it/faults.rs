//! What a crash and a full disk may leave behind: nothing that a client could see. The victim is the real program;
//! strace kills it, or refuses a system call, at every single write, rename, link, unlink, mkdir and flush of a build.

use crate::fleet::{package_set, publication, publish, silent};
use debrole::repo::publish::{Now, Published};
use debrole::repo::store::sha256;
use debrole::repo::{Open, Repository};
use debrole::sign::testing::EphemeralKey;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

const T: i64 = 1_793_000_000;
const DAY: i64 = 86_400;

/// Every call that changes a file system, or flushes it.
const CALLS: &str = "write,pwrite64,writev,pwritev,pwritev2,copy_file_range,sendfile,rename,renameat,renameat2,link,\
                     linkat,unlink,unlinkat,rmdir,symlink,symlinkat,mkdir,mkdirat,ftruncate,truncate,fallocate,fsync,\
                     fdatasync,syncfs,sync_file_range,utimensat";

/// Which calls belong to publishing rather than to gpg's pipes, so that it is sure that both were hit.
const MUST_BE_THERE: [&str; 6] = ["write", "rename", "symlink", "mkdir", "syncfs", "fsync"];

/// A fleet of one role, with its key, whose role can be changed.
struct Fleet {
    dir: tempfile::TempDir,
}

impl Fleet {
    fn new() -> Fleet {
        let dir = tempfile::Builder::new().prefix("debrole-").tempdir().unwrap();
        let tree = dir.path().join("tree");
        std::fs::create_dir_all(tree.join("roles")).unwrap();
        std::fs::write(
            tree.join("debrole.toml"),
            "schema = 1\n[fleet]\nprefix = \"pg\"\norigin = \"Example Project\"\nlabel = \"Example fleet\"\n\
             maintainer = \"Example Sysadmins <sysadmins@example.org>\"\nuri = \"http://apt.example.org\"\n\
             architectures = [\"amd64\"]\n[release.bookworm]\n[release.trixie]\n",
        )
        .unwrap();
        std::fs::create_dir(dir.path().join("tmp")).unwrap();
        let fleet = Fleet { dir };
        fleet.write_role("first");
        let output = fleet.debrole(None).args(["key", "init"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fleet
    }

    /// The same fleet with the same key in another place, for work at the same time.
    fn copy(&self) -> Fleet {
        let dir = tempfile::Builder::new().prefix("debrole-").tempdir().unwrap();
        copy(self.dir.path().join("tree").as_path(), &dir.path().join("tree"));
        std::fs::create_dir(dir.path().join("tmp")).unwrap();
        Fleet { dir }
    }

    fn tree(&self) -> PathBuf {
        self.dir.path().join("tree")
    }
    fn keyring(&self) -> PathBuf {
        self.tree().join("keys/archive-keyring.gpg")
    }

    fn write_role(&self, text: &str) {
        let role = format!(
            "summary = \"Web front end\"\ndepends = [\"nginx\"]\n[[file]]\npath = \"/etc/nginx/conf.d/pg.conf\"\n\
             content = \"# {text}\\n\"\n"
        );
        std::fs::write(self.tree().join("roles/web.toml"), role).unwrap();
    }

    /// The program, with one thread; under strace where `strace` has options for it.
    fn debrole(&self, strace: Option<&[&str]>) -> Command {
        let program = env!("CARGO_BIN_EXE_debrole");
        let mut command = match strace {
            None => Command::new(program),
            Some(options) => {
                let mut command = Command::new("strace");
                command.args(["-qq", "-e", "signal=none"]).args(options).arg(program);
                command
            }
        };
        command.env("RAYON_NUM_THREADS", "1").env_remove("SOURCE_DATE_EPOCH").stdin(Stdio::null());
        // A program that is killed leaves its temporary files: here they go with the test.
        command.env("TMPDIR", self.dir.path().join("tmp")).arg("-C").arg(self.tree());
        command
    }

    fn build(&self, out: &Path, time: i64, strace: Option<&[&str]>) -> Output {
        let mut command = self.debrole(strace);
        command.arg("--out").arg(out).args([
            "build",
            "--no-gate",
            "--first-publish",
            "--future",
            "--time",
            &time.to_string(),
        ]);
        command.output().unwrap()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // A program that was killed could not end its agent.
        let home = self.tree().join("keys/private");
        let _ = Command::new("gpgconf").arg("--homedir").arg(home).args(["--kill", "all"]).status();
    }
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

/// What a client of a repository sees: the version of the role, or that nothing is published. Everything is checked
/// on the way, by gpgv and by hashing: signatures, each file that a Release lists by its name and by its hash, each
/// package of an index, and that both suites are of one generation.
fn look(out: &Path, keyring: &Path) -> Result<Option<String>, String> {
    let dists = out.join("dists");
    if dists.symlink_metadata().is_err() {
        return Ok(None);
    }
    let mut seen = BTreeSet::new();
    for suite in ["bookworm", "trixie"] {
        let directory = dists.join(suite);
        for arguments in [vec!["InRelease"], vec!["Release.gpg", "Release"]] {
            let output = Command::new("gpgv")
                .arg("--keyring")
                .arg(keyring)
                .args(arguments.iter().map(|name| directory.join(name)))
                .output()
                .map_err(|e| e.to_string())?;
            if !output.status.success() {
                return Err(format!("{suite} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)));
            }
        }
        let release = read(&directory.join("Release"))?;
        let release = String::from_utf8(release).map_err(|e| e.to_string())?;
        let mut files = 0;
        for line in release.lines().skip_while(|line| *line != "SHA256:").skip(1) {
            let [hash, size, path] = line.split_whitespace().collect::<Vec<_>>()[..] else {
                return Err(format!("{suite}: {line:?}"));
            };
            let folder = path.rsplit_once('/').ok_or("a path has a folder")?.0;
            for place in [directory.join(path), directory.join(folder).join("by-hash/SHA256").join(hash)] {
                let bytes = read(&place)?;
                if sha256(&bytes) != hash || bytes.len().to_string() != size {
                    return Err(format!("{} has the wrong bytes", place.display()));
                }
            }
            files += 1;
        }
        if files != 3 {
            return Err(format!("{suite} lists {files} files"));
        }
        let packages = String::from_utf8(read(&directory.join("main/binary-amd64/Packages"))?).unwrap();
        let mut role = None;
        for stanza in packages.split("\n\n").filter(|stanza| !stanza.trim().is_empty()) {
            let field = |name: &str| {
                stanza.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).ok_or(format!("no {name}"))
            };
            let bytes = read(&out.join(field("Filename:")?))?;
            if sha256(&bytes) != field("SHA256:")? || bytes.len().to_string() != field("Size:")? {
                return Err(format!("{} has the wrong bytes", field("Filename:")?));
            }
            if field("Package:")? == "pg-role-web" {
                role = Some(field("Version:")?.to_owned());
            }
        }
        let stable = read(&out.join(format!("pg-archive-keyring-{suite}.deb")))?;
        if stable.is_empty() {
            return Err(format!("the keyring package of {suite} is empty"));
        }
        seen.insert(role);
    }
    match seen.len() {
        1 => Ok(seen.pop_first().flatten()),
        _ => Err(format!("the suites are of different generations: {seen:?}")),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// Every file by its hash has that hash.
fn rehash(out: &Path) -> Result<usize, String> {
    let mut count = 0;
    for entry in std::fs::read_dir(out.join("by-hash/SHA256")).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with(".tmp-") {
            continue;
        }
        if sha256(&read(&entry.path())?) != name {
            return Err(format!("by-hash/SHA256/{name} has other bytes"));
        }
        count += 1;
    }
    Ok(count)
}

/// Paths below a directory, but for the lock.
fn paths(root: &Path) -> BTreeSet<String> {
    crate::fleet::snapshot(root).into_keys().filter(|path| path != ".lock").collect()
}

/// What clients that fetched the index before the publish still want afterwards.
fn wanted_before(out: &Path) -> BTreeMap<String, String> {
    let mut wanted = BTreeMap::new();
    let Ok(Some(manifest)) = debrole::repo::published(out) else { return wanted };
    for record in &manifest.packages {
        wanted.insert(record.filename.clone(), record.sha256.clone());
    }
    for (suite, files) in &manifest.suites {
        for hash in files.values() {
            wanted.insert(
                format!("dists/{suite}/main/binary-amd64/by-hash/SHA256/{0}", hash.sha256),
                hash.sha256.clone(),
            );
        }
    }
    wanted
}

/// One publish to disturb: what is there before it, and when it happens.
struct Scene {
    fleet: Fleet,
    base: PathBuf,
    time: i64,
    before: Option<String>,
    after: String,
    /// The paths that an undisturbed publish leaves.
    reference: BTreeSet<String>,
    /// Calls of an undisturbed publish by name.
    calls: BTreeMap<String, usize>,
}

impl Scene {
    fn new(fleet: Fleet, base: PathBuf, time: i64) -> Scene {
        std::fs::create_dir_all(&base).unwrap();
        let before = look(&base, &fleet.keyring()).unwrap();
        let out = fleet.dir.path().join("reference");
        copy(&base, &out);
        let log = fleet.dir.path().join("strace.log");
        let output = fleet.build(&out, time, Some(&["-o", log.to_str().unwrap(), "-e", &format!("trace={CALLS}")]));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut calls = BTreeMap::new();
        for line in std::fs::read_to_string(&log).unwrap().lines() {
            if let Some((name, _)) = line.split_once('(') {
                *calls.entry(name.to_owned()).or_insert(0) += 1;
            }
        }
        for name in MUST_BE_THERE {
            assert!(calls.contains_key(name), "{name}: {calls:?}");
        }
        let after = look(&out, &fleet.keyring()).unwrap().expect("it is published");
        assert_ne!(before.as_deref(), Some(after.as_str()));
        Scene { reference: paths(&out), fleet, base, time, before, after, calls }
    }

    /// Disturbs the N-th call of a name, looks, builds again, looks again. Says which repository clients saw, and
    /// nothing where the program ended well before it made that many such calls: how many it makes to talk to gpg and
    /// to its agent depends on how fast those are.
    fn disturb(&self, fleet: &Fleet, how: &str, call: &str, n: usize) -> Result<Option<bool>, String> {
        let out = fleet.dir.path().join("out");
        let _ = std::fs::remove_dir_all(&out);
        copy(&self.base, &out);
        let wanted = wanted_before(&out);
        let log = fleet.dir.path().join("strace.log");
        let options = [
            "-o",
            log.to_str().unwrap(),
            "-e",
            &format!("trace={call}"),
            "-e",
            &format!("inject={call}:{how}:when={n}"),
        ];
        let output = fleet.build(&out, self.time, Some(&options));
        let hit = if how.starts_with("signal") {
            output.status.signal() == Some(9) || output.status.code() == Some(128 + 9)
        } else {
            std::fs::read_to_string(&log).unwrap().contains("(INJECTED)")
        };
        if !hit {
            let calls = std::fs::read_to_string(&log).unwrap().lines().count();
            if output.status.success() && calls < n {
                return Ok(None);
            }
            return Err(format!(
                "the call was not hit, of {calls}: {:?} {}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            ));
        }
        let seen = look(&out, &self.fleet.keyring())?;
        rehash(&out)?;
        let new = match &seen {
            seen if *seen == self.before => false,
            Some(version) if *version == self.after => true,
            other => return Err(format!("clients see {other:?}")),
        };
        if output.status.success() && !new {
            return Err("it said that all went well, but the old repository is what clients see".into());
        }
        for (path, hash) in &wanted {
            if sha256(&read(&out.join(path))?) != *hash {
                return Err(format!("{path}, which clients of the old repository want, has other bytes"));
            }
        }

        let again = fleet.build(&out, self.time, None);
        if !again.status.success() {
            return Err(format!("the next build failed: {}", String::from_utf8_lossy(&again.stderr)));
        }
        match look(&out, &self.fleet.keyring())? {
            Some(version) if version == self.after => {}
            other => return Err(format!("after the next build clients see {other:?}")),
        }
        rehash(&out)?;
        let there = paths(&out);
        if there != self.reference {
            let difference: Vec<_> = there.symmetric_difference(&self.reference).collect();
            return Err(format!("after the next build the files are not those of an undisturbed one: {difference:?}"));
        }
        Ok(Some(new))
    }

    /// Every call, killed at and refused; two at a time.
    fn disturb_everywhere(&self) {
        let mut todo: Vec<(&str, &str, usize)> = Vec::new();
        for (call, &count) in &self.calls {
            for n in 1..=count {
                for how in ["signal=SIGKILL", "error=ENOSPC"] {
                    todo.push((how, call, n));
                }
            }
        }
        let next = AtomicUsize::new(0);
        let outcomes: Mutex<BTreeMap<(&str, Option<bool>), usize>> = Mutex::default();
        let wrong: Mutex<Vec<String>> = Mutex::default();
        let fleets = [self.fleet.copy(), self.fleet.copy()];
        std::thread::scope(|scope| {
            for fleet in &fleets {
                scope.spawn(|| {
                    while let Some(&(how, call, n)) = todo.get(next.fetch_add(1, Ordering::Relaxed)) {
                        match self.disturb(fleet, how, call, n) {
                            Ok(new) => *outcomes.lock().unwrap().entry((how, new)).or_default() += 1,
                            Err(problem) => wrong.lock().unwrap().push(format!("{how} at {call} {n}: {problem}")),
                        }
                    }
                });
            }
        });
        let wrong = wrong.into_inner().unwrap();
        assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), todo.len(), wrong.join("\n"));
        let outcomes = outcomes.into_inner().unwrap();
        println!("{} injections at {:?}: {outcomes:?}", todo.len(), self.calls);
        assert_eq!(outcomes.values().sum::<usize>(), todo.len());
        for how in ["signal=SIGKILL", "error=ENOSPC"] {
            for new in [false, true] {
                assert!(outcomes.contains_key(&(how, Some(new))), "{how}, new repository seen: {new}: {outcomes:?}");
            }
        }
        let missed: usize = outcomes.iter().filter(|((_, seen), _)| seen.is_none()).map(|(_, count)| count).sum();
        assert!(missed * 20 <= todo.len(), "{missed} calls of {} were not made again: {outcomes:?}", todo.len());
    }
}

#[test]
fn the_first_publish_disturbed_everywhere() {
    let fleet = Fleet::new();
    let base = fleet.dir.path().join("base");
    Scene::new(fleet, base, T).disturb_everywhere();
}

#[test]
fn a_changed_role_disturbed_everywhere() {
    let fleet = Fleet::new();
    let base = fleet.dir.path().join("base");
    assert!(fleet.build(&base, T, None).status.success());
    fleet.write_role("second");
    Scene::new(fleet, base, T + 100).disturb_everywhere();
}

/// The third publish, so late that everything of the first is out of grace: the one that removes.
#[test]
fn the_collection_disturbed_everywhere() {
    let fleet = Fleet::new();
    let base = fleet.dir.path().join("base");
    assert!(fleet.build(&base, T, None).status.success());
    fleet.write_role("second");
    assert!(fleet.build(&base, T + 100, None).status.success());
    fleet.write_role("third");
    let scene = Scene::new(fleet, base, T + 100 + 15 * DAY);
    assert!(scene.calls["unlink"] > 5, "{:?}", scene.calls);
    scene.disturb_everywhere();
}

/// A file system of its own that is too small. Needs root, as the machine tests do.
#[test]
fn a_full_disk_keeps_the_old_repository() {
    let key = EphemeralKey::new(None).unwrap();
    let mount = Mount::tmpfs("size=1m,nr_inodes=200");
    let out = mount.path().join("out");
    publish(&out, package_set(0, 3), &key.signer, Now::Supplied(T));
    let before = paths(&out);
    let attempt = |wanted: crate::fleet::Wanted<'_>| {
        wanted.publish(&mut Repository::open(&out, Open { keys: None, wait: false, events: &silent }).unwrap())
    };
    // Too large by itself.
    let mut large = publication(&out, package_set(1, 3), &key.signer, Now::Supplied(T + 1));
    let incompressible: String = (0..40_000u32).map(|i| sha256(&i.to_le_bytes())).collect();
    let (record, bytes) =
        crate::fleet::package("big", "1.0", &["bookworm"], debrole::plan::PackageKind::Site, &incompressible);
    assert!(bytes.len() > 1_200_000);
    large.new.insert(record.filename.clone(), bytes);
    large.publication.packages.push(record);
    let refused = attempt(large).unwrap_err();
    assert_eq!(refused[0].rule.code, "disk-full");
    assert!(refused[0].message.contains("the disk is full"), "{}", refused[0].message);
    assert_eq!(paths(&out), before);

    // Too few inodes.
    let fillers = mount.path().join("fillers");
    std::fs::create_dir(&fillers).unwrap();
    let mut n = 0;
    while std::fs::write(fillers.join(n.to_string()), "").is_ok() {
        n += 1;
    }
    assert!(n > 10);
    let refused = attempt(publication(&out, package_set(1, 3), &key.signer, Now::Supplied(T + 1))).unwrap_err();
    assert_eq!(refused[0].rule.code, "disk-full");
    assert!(refused[0].message.contains("inodes"), "{}", refused[0].message);
    assert_eq!(paths(&out), before);

    // Room again: the same publish goes through.
    std::fs::remove_dir_all(&fillers).unwrap();
    let next = attempt(publication(&out, package_set(1, 3), &key.signer, Now::Supplied(T + 1)));
    assert!(matches!(next, Ok(Published::Generation(g)) if g.manifest.generation == 2));
}

struct Mount {
    dir: tempfile::TempDir,
}

impl Mount {
    fn tmpfs(options: &str) -> Mount {
        let dir = tempfile::tempdir().unwrap();
        let status =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(dir.path()).status().unwrap();
        assert!(status.success(), "mounting a tmpfs needs root");
        Mount { dir }
    }
    fn path(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.dir.path()).status();
    }
}

#[test]
fn two_builds_at_once() {
    let fleet = Fleet::new();
    let out = fleet.dir.path().join("out");
    std::fs::create_dir_all(&out).unwrap();
    let held = Repository::open(&out, Open { keys: None, wait: false, events: &silent }).unwrap();
    let refused = fleet.build(&out, T, None);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("lock-held") && said.contains(&format!("process {}", std::process::id())), "{said}");
    drop(held);

    // With --wait both are through, one after the other.
    let other = fleet.copy();
    let start = |fleet: &Fleet, role: &str| {
        fleet.write_role(role);
        let mut command = fleet.debrole(None);
        command.arg("--out").arg(&out).args(["build", "--no-gate", "--first-publish", "--wait"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let both: Vec<_> = [start(&fleet, "one"), start(&other, "two")]
        .into_iter()
        .map(|child| child.wait_with_output().unwrap())
        .collect();
    for output in &both {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(look(&out, &fleet.keyring()).unwrap().is_some());
}

/// A gpg-agent that is told to end hangs up first, and removes its sockets afterwards. Here it takes its time for that,
/// as it may on a machine under load: whoever comes meanwhile neither trusts in it nor loses his own to it.
#[test]
fn an_agent_that_is_slow_to_go() {
    let fleet = Fleet::new();
    let bin = fleet.dir.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let agent = bin.join("gpg-agent");
    std::fs::write(
        &agent,
        "#!/bin/sh\nexec strace -DD -f -qq -o /dev/null -e trace=unlink -e inject=unlink:delay_enter=400000 \
         /usr/bin/gpg-agent \"$@\"\n",
    )
    .unwrap();
    std::fs::set_permissions(&agent, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let home = fleet.tree().join("keys/private");
    let run = |arguments: &[&str]| {
        let output = fleet.debrole(None).env("PATH", &path).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let out = fleet.dir.path().join("out");
    let build = ["--out", out.to_str().unwrap(), "build", "--no-gate", "--first-publish", "--refresh", "--wait"];

    // Right after one that made a key; and several at once.
    std::fs::remove_dir_all(fleet.tree().join("keys")).unwrap();
    run(&["key", "init"]);
    run(&build);
    run(&["key", "show"]);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| run(&["key", "show"]));
            scope.spawn(|| run(&build));
        }
    });
    // Somebody's own, that he has just told to end. (One that is not gone yet would take the next one's sockets along.)
    for _ in 0..3 {
        crate::fleet::wait_until(|| !crate::fleet::has_agent(&home));
        let status = Command::new(&agent).arg("--homedir").arg(&home).args(["--quiet", "--daemon"]).status().unwrap();
        assert!(status.success() && crate::fleet::has_agent(&home));
        let status =
            Command::new("gpgconf").arg("--homedir").arg(&home).args(["--kill", "gpg-agent"]).status().unwrap();
        assert!(status.success());
        run(&build);
    }
    crate::fleet::wait_until(|| crate::fleet::agents(&home).is_empty());
}

/// As on a server that builds several checkouts at night: nobody is in another's way.
#[test]
fn two_trees_built_at_once_again_and_again() {
    let one = Fleet::new();
    let other = one.copy();
    std::thread::scope(|scope| {
        for fleet in [&one, &other] {
            scope.spawn(|| {
                for n in 0..10 {
                    fleet.write_role(&n.to_string());
                    let output = fleet.build(&fleet.dir.path().join("out"), T + n, None);
                    assert!(output.status.success(), "{n}: {}", String::from_utf8_lossy(&output.stderr));
                }
            });
        }
    });
}

#[test]
fn a_file_system_that_lacks_something_is_told_as_what_it_is() {
    let fleet = Fleet::new();
    let out = fleet.dir.path().join("out");
    for (what, told) in [
        ("symlink:error=EPERM", "the file system there keeps no symlinks\n"),
        ("symlink:error=EOPNOTSUPP", "the file system there keeps no symlinks\n"),
        ("utimensat:error=EPERM", "operation not permitted\n"),
        ("utimensat:error=EACCES", "permission denied\n"),
    ] {
        let (call, _) = what.split_once(':').unwrap();
        let (trace, inject) = (format!("trace={call}"), format!("inject={what}"));
        let options = ["-o", "/dev/null", "-e", &trace, "-e", &inject];
        let output = fleet.build(&out, T, Some(&options));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains(told), "{what}: {said}");
        assert_eq!(look(&out, &fleet.keyring()).unwrap(), None, "{what}");
    }
    // Right after the commit: it is not for nothing.
    let options = ["-o", "/dev/null", "-e", "trace=fsync", "-e", "inject=fsync:error=EIO"];
    let output = fleet.build(&out, T, Some(&options));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("error: generation 1 is what clients see now") && !said.contains("nothing was"), "{said}");
    assert!(look(&out, &fleet.keyring()).unwrap().is_some());
    assert!(fleet.build(&out, T, None).status.success());
    assert!(!out.join(".unfinished").exists());
}

#[test]
fn what_a_killed_build_left_among_temporary_files_goes_with_the_next() {
    let fleet = Fleet::new();
    let (out, tmp) = (fleet.dir.path().join("out"), fleet.dir.path().join("tmp"));
    let left = || std::fs::read_dir(&tmp).unwrap().count();
    let options = ["-o", "/dev/null", "-e", "trace=symlink", "-e", "inject=symlink:signal=SIGKILL"];
    assert!(!fleet.build(&out, T, Some(&options)).status.success());
    assert!(left() > 0, "it was killed too early to show anything");
    let output = fleet.build(&out, T, None);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(left(), 0);
}
