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

/// Does some harm to a file.
type Spoil = Box<dyn Fn(&Path)>;

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
    let published = snapshot(&fleet.out());
    let deb = published.keys().find(|path| path.ends_with(".deb") && path.contains("pg-role-web_")).unwrap();
    let deb = fleet.out().join(deb);
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
    let mut spoil: Vec<(PathBuf, Spoil)> = Vec::new();
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

#[test]
fn a_time_that_is_far_ahead_is_not_taken() {
    let fleet = Fleet::new(&[("web", ROLE)]).with_key();
    let time = |ahead: i64| (jiff::Timestamp::now().as_second() + ahead).to_string();
    let said = fleet.build(&["--time", &time(2 * 86_400)]);
    assert_eq!(said.status, Some(1), "{said:?}");
    assert!(said.err.contains("error[clock-implausible]") && said.err.contains("--future"), "{said:?}");
    assert!(!fleet.out().join("dists").exists());
    fleet.publish(&["--time", &time(3600)]);
    fleet.write("roles/db.toml", ROLE);
    fleet.publish(&["--time", &time(2 * 86_400), "--future"]);
    let said = fleet.build(&[]);
    assert!(said.status == Some(2) && said.err.contains("error[clock-behind]"), "{said:?}");
}

#[test]
fn a_result_that_cannot_be_written_is_no_success_and_a_reader_that_went_away_is() {
    let fleet = Fleet::new(&[("base", "summary = \"Base\"\n")]);
    for arguments in [&["show", "base"][..], &["check"], &["--format", "json", "check"], &["explain", "unknown-key"]] {
        let into = |stdout: Stdio| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_debrole"));
            command.arg("-C").arg(fleet.root()).args(arguments).stdin(Stdio::null()).stdout(stdout);
            let output = command.stderr(Stdio::piped()).output().unwrap();
            (output.status.code(), String::from_utf8(output.stderr).unwrap())
        };
        let (status, said) = into(fs::OpenOptions::new().write(true).open("/dev/full").unwrap().into());
        assert_eq!(status, Some(2), "{arguments:?}: {said}");
        assert!(said.contains("can't write the result: No space left on device"), "{arguments:?}: {said}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(into(writer.into()).0, Some(0), "{arguments:?}");
    }
}

#[test]
fn what_is_wrong_with_the_request_or_the_tree_is_status_1_and_has_a_code() {
    let fleet = Fleet::new(&[("web", ROLE)]);
    let said = fleet.build(&[]);
    assert!(said.status == Some(1) && said.err.contains("error[key-missing]"), "{said:?}");
    fs::create_dir(fleet.root().join("keys")).unwrap();
    for garbage in [&b"garbage"[..], b""] {
        fleet.write("keys/archive-keyring.gpg", garbage);
        let said = fleet.build(&[]);
        assert!(said.status == Some(1) && said.err.contains("error[keyring-unsound]"), "{said:?}");
        assert!(said.err.contains("keys/archive-keyring.gpg"), "{said:?}");
    }
    fs::remove_file(fleet.root().join("keys/archive-keyring.gpg")).unwrap();
    let fleet = fleet.with_key();

    // What lies where the repository should be.
    let file = fleet.root().join("file");
    fs::write(&file, "mine").unwrap();
    let link = fleet.root().join("link");
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    for (out, why) in [(&file, "not a directory"), (&link, "a symlink to nowhere, where there is no directory")] {
        for command in [&["build", "--no-gate", "--first-publish"][..], &["plan"]] {
            let said = fleet.run(&[command, &["--out", out.to_str().unwrap()]].concat());
            assert_eq!(said.status, Some(1), "{said:?}");
            assert!(said.err.contains("error[not-our-repository]") && said.err.contains(why), "{said:?}");
        }
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");

    // What is frozen: told where it is written.
    fleet.publish(&[]);
    for (key, old, new) in [
        ("origin", "Example Project", "Other Project"),
        ("label", "Example fleet", "Other fleet"),
        ("prefix", "pg", "xy"),
    ] {
        let changed = DEBROLE_TOML.replace(&format!("{key} = \"{old}\""), &format!("{key} = \"{new}\""));
        assert_ne!(changed, DEBROLE_TOML);
        fleet.write("debrole.toml", &changed);
        let line = changed.lines().position(|line| line.starts_with(key)).unwrap() + 1;
        for command in [&["build", "--no-gate"][..], &["plan"]] {
            let said = fleet.run(command);
            assert_eq!(said.status, Some(1), "{said:?}");
            let place = format!("--> debrole.toml:{line}:{}", key.len() + 5);
            assert!(said.err.contains(&format!("error[{key}-changed]")) && said.err.contains(&place), "{said:?}");
        }
    }
}

#[test]
fn every_failure_begins_alike_and_help_has_help() {
    let fleet = Fleet::new(&[("web", ROLE)]);
    for (arguments, status) in [
        (&["show", "wbe"][..], 1),
        (&["explain", "unknown-kye"], 1),
        (&["key", "show"], 1),
        (&["build"], 1),
        (&["serve", "--listen", "127.0.0.1:0"], 2),
    ] {
        let said = fleet.run(arguments);
        assert_eq!(said.status, Some(status), "{said:?}");
        assert!(said.err.starts_with("error"), "{said:?}");
        assert!(!said.err.contains("debrole: "), "{said:?}");
    }
    for help in [&["help", "--help"][..], &["help", "-h"], &["key", "help", "--help"], &["help", "build"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_debrole")).args(help).output().unwrap();
        assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("Usage: "), "{help:?}");
    }
    let fleet = Fleet::new(&[("help", ROLE)]);
    assert_eq!(fleet.run(&["show", "help"]).status, Some(0));
}

#[test]
fn key_init_says_what_is_true_of_its_tree() {
    let said = Fleet::new(&[]).run(&["key", "init"]);
    assert!(said.out.contains("keys/archive-keyring.gpg and .asc: commit them"), "{said:?}");
    let fleet = Fleet::new(&[]);
    fleet.write(".gitignore", "/keys/*.gpg\n/keys/*.asc\n");
    assert!(Command::new("git").args(["init", "-q"]).arg(fleet.root()).status().unwrap().success());
    let said = fleet.run(&["key", "init"]);
    assert!(said.out.contains(".gitignore keeps it out of the history"), "{said:?}");
}

#[test]
fn an_expiry_that_is_in_one_half_of_the_key_only() {
    let fleet = Fleet::new(&[("web", ROLE)]).with_key();
    let home = fleet.root().join("keys/private");
    let gpg = |arguments: &[&str]| {
        let output = Command::new("gpg").arg("--homedir").arg(&home).args(["--batch", "-q"]).args(arguments).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let listed = String::from_utf8(gpg(&["--with-colons", "-k"])).unwrap();
    let fingerprint = listed.lines().find_map(|l| l.strip_prefix("fpr:::::::::")).unwrap().trim_end_matches(':');
    fleet.publish(&[]);
    // gpg tells two self-signatures apart by their second.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    gpg(&["--quick-set-expire", fingerprint, "5y"]);
    let said = fleet.build(&["--refresh"]);
    let code = "keyring-outdated";
    assert!(said.status == Some(1) && said.err.contains(code), "{said:?}");
    assert!(said.err.contains("key export --renew"), "{said:?}");
    let said = fleet.run(&["key", "show"]);
    assert!(said.err.contains("error[keyring-outdated]"), "{said:?}");
    let said = fleet.run(&["key", "export", "--renew"]);
    assert_eq!(said.status, Some(0), "{said:?}");
    fleet.publish(&["--refresh"]);

    // The reverse: a home from before.
    let renewed = fs::read(fleet.root().join("keys/archive-keyring.gpg")).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    gpg(&["--quick-set-expire", fingerprint, "1y"]);
    let said = fleet.build(&["--refresh"]);
    assert!(said.err.contains("error[keyring-outdated]") && said.err.contains("--import"), "{said:?}");
    assert_eq!(fs::read(fleet.root().join("keys/archive-keyring.gpg")).unwrap(), renewed);
}

#[test]
fn a_program_that_is_killed_leaves_no_agent() {
    let fleet = Fleet::new(&[("web", ROLE)]).with_key();
    let home = fleet.root().join("keys/private");
    let none = || crate::fleet::agents(&home).is_empty();
    crate::fleet::wait_until(none);
    let temporary = fleet.root().join("tmp");
    fs::create_dir(&temporary).unwrap();
    // Killed at its commit: signed is everything by then.
    let killed = Command::new("strace")
        .args(["-qq", "-o", "/dev/null", "-e", "inject=syncfs:signal=KILL", "-e", "trace=syncfs"])
        .arg(env!("CARGO_BIN_EXE_debrole"))
        .arg("-C")
        .arg(fleet.root())
        .args(["build", "--no-gate", "--first-publish"])
        // All in the thread that strace watches.
        .env("RAYON_NUM_THREADS", "1")
        .env("TMPDIR", &temporary)
        .env_remove("SOURCE_DATE_EPOCH")
        .output()
        .unwrap();
    assert!(!killed.status.success());
    assert!(!fleet.out().join("dists").exists());
    let left = fs::read_dir(&temporary).unwrap().flatten().find(|entry| entry.path().join("gpg.conf").exists());
    let left = left.expect("where its agent worked").path();
    crate::fleet::wait_until(|| !crate::fleet::has_agent(&left));
    fleet.publish(&[]);
    crate::fleet::wait_until(none);
}

#[test]
fn show_tells_of_teardown_and_host_bound_files_and_of_its_own_warnings_only() {
    let fleet = Fleet::new(&[
        (
            "web",
            "summary = \"Web\"\nteardown = \"true\"\nsetup = \"true\"\n[[file]]\npath = \"/etc/web.conf\"\n\
             template = true\ncontent = \"{{ host.fqdn }}\"\n",
        ),
        ("db", "summary = \"Database\"\ndepends = [\"nginx\", \"nginx\"]\n"),
    ]);
    let said = fleet.run(&["show", "web"]);
    assert_eq!(said.status, Some(0), "{said:?}");
    assert_eq!(said.err, "");
    assert!(said.out.contains("    teardown (when the package is removed)\n"), "{said:?}");
    assert!(said.out.contains("host-bound /etc/web.conf: comes with each machine's own package"), "{said:?}");
    assert!(fleet.run(&["show", "db"]).err.contains("warning[duplicate-relation]"));
    let said = fleet.run(&["show", "web", "--release", "trixi"]);
    assert!(said.status == Some(1) && said.err.contains("did you mean \"trixie\"?"), "{said:?}");
}

#[test]
fn plan_names_the_change_and_not_its_echo_in_the_description() {
    let fleet = Fleet::new(&[("base", "summary = \"Base\"\n"), ("web", ROLE)]).with_key();
    fleet.publish(&[]);
    let plan = |role: &str| {
        fleet.write("roles/web.toml", role);
        let said = fleet.run(&["plan"]);
        assert_eq!(said.status, Some(0), "{said:?}");
        let line = said.out.lines().find(|line| line.starts_with("pg-role-web")).unwrap().to_owned();
        line.split_once(": ").unwrap().1.to_owned()
    };
    assert_eq!(plan(&format!("{ROLE}setup = \"true\"\n")), "setup changed");
    assert_eq!(plan(&format!("{ROLE}includes = [\"base\"]\n")), "Depends +pg-role-base");
    assert_eq!(plan(&ROLE.replace("front end", "server")), "description changed");
    let both = plan(&format!("{ROLE}description = \"It serves.\"\nsetup = \"true\"\n"));
    assert_eq!(both, "description changed; setup changed");
}

#[test]
fn check_reads_the_sites_packages_as_build_does() {
    let fleet = Fleet::new(&[("web", ROLE)]).with_key();
    // control.tar.gz: gigabytes of nothing, in a few megabytes.
    let mut tar = Vec::new();
    {
        let mut gzip = flate2::write::GzEncoder::new(&mut tar, flate2::Compression::best());
        let mut builder = tar::Builder::new(&mut gzip);
        let mut header = tar::Header::new_gnu();
        header.set_size(2 << 30);
        header.set_mode(0o644);
        header.set_entry_type(tar::EntryType::Regular);
        builder.append_data(&mut header, "./control", std::io::Read::take(std::io::repeat(b' '), 2 << 30)).unwrap();
        builder.into_inner().unwrap();
        gzip.finish().unwrap();
    }
    let mut deb = b"!<arch>\n".to_vec();
    for (name, bytes) in [("debian-binary", &b"2.0\n"[..]), ("control.tar.gz", &tar), ("data.tar.gz", b"")] {
        deb.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, bytes.len()).bytes());
        deb.extend(bytes);
        deb.extend(std::iter::repeat_n(b'\n', bytes.len() % 2));
    }
    for (name, bytes) in [("bomb_1_all.deb", deb), ("x_1_all.deb", b"no package".to_vec())] {
        fleet.write(&format!("packages/{name}"), bytes);
    }
    let began = std::time::Instant::now();
    let (check, build) = (fleet.run(&["check"]), fleet.build(&[]));
    assert!(began.elapsed() < std::time::Duration::from_secs(4), "{:?}", began.elapsed());
    for said in [&check, &build] {
        assert_eq!(said.status, Some(1), "{said:?}");
        assert!(said.err.contains("error[site-package-broken]") && said.err.contains("bomb_1_all.deb"), "{said:?}");
        assert!(said.err.contains("it unpacks to far more than a package should"), "{said:?}");
    }
    assert_eq!(check.err, build.err.replace("error: nothing was published\n", ""));
}

#[test]
fn show_tells_of_a_machines_backup_jobs_as_they_are_there() {
    use crate::access::key;
    let fleet = Fleet::new(&[
        ("web", "summary = \"Web\"\n[[backup]]\nname = \"www\"\npaths = [\"/srv/www\"]\n"),
        ("backup", "summary = \"Backup\"\n[backup_server]\n"),
    ]);
    let host = |name: &str, number: u8, rest: &str| {
        let text = format!("roles = [\"{name}\"]\nrelease = \"bookworm\"\nssh_host_key = \"{}\"\n{rest}", key(number));
        fleet.write(&format!("hosts/{name}1.example.org.toml"), &text);
    };
    host("backup", 41, "");
    host("web", 42, "[backup_job.\"web/www\"]\nschedule = \"hourly\"\nat_least = \"2G\"\n");
    let debrole = std::fs::read_to_string(fleet.root().join("debrole.toml")).unwrap();
    fleet.write("debrole.toml", format!("{debrole}\n[secrets]\nrecipients = [\"{}\"]\n", key(43)));
    let said = fleet.run(&["show", "web1.example.org"]);
    assert!(
        said.out.contains(
            "  backup jobs:\n    web_www: hourly; all kept for 7d, daily for 30d, weekly for 84d, monthly for 365d\n      \
             a warning when the newest is 3h old, smaller than 2G, critical when it is 4h\n      as this machine's own"
        ),
        "{said:?}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&fleet.run(&["--format", "json", "show", "web1.example.org"]).out).unwrap();
    let job = &json["backups"][0];
    assert_eq!(
        (job["name"].as_str(), job["role"].as_str(), job["own"].as_bool()),
        (Some("web_www"), Some("web"), Some(true))
    );
    assert_eq!((job["warn_after"].as_u64(), job["at_least"].as_u64()), (Some(10_800), Some(2 << 30)));
}
