//! The gate: generations that the whole compiler made, put before the apt, gpgv and sqv of this machine.

use crate::archive::{Archive, debian_cache, debian_mirror};
use debrole::archive::gate::AptGate;
use debrole::archive::{Lists, Options, check};
use debrole::build::{self, Input, Published as Pool};
use debrole::diagnostics::Diagnostic;
use debrole::exec::Command;
use debrole::lower::{Keyring, lower};
use debrole::model::{ArchiveSource, Model};
use debrole::plan::PackagePlan;
use debrole::repo::gate::{Gate, GateReport, StagedTree};
use debrole::repo::publish::{Now, Publication, Published, Settings, Staging};
use debrole::repo::{Open, Repository};
use debrole::resolve::resolve;
use debrole::sign::key::export_public;
use debrole::sign::testing::EphemeralKey;
use debrole::tree::Tree;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

const DAY: i64 = 86_400;

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

/// A fleet on two releases, an archive for them, and where it is published.
struct Site {
    directory: TempDir,
    archive: Archive,
    key: EphemeralKey,
    keyring: Keyring,
}

/// Where the new files go.
struct NewFiles<'a>(&'a Staging<'a>);

impl build::Sink for NewFiles<'_> {
    fn put(&self, deb: build::NewDeb<'_>) -> Result<(), Diagnostic> {
        self.0.put(deb.filename, deb.bytes)
    }
}

struct Files<'a>(&'a Path);

impl Pool for Files<'_> {
    fn read(&self, filename: &str) -> std::io::Result<Vec<u8>> {
        fs::read(self.0.join(filename))
    }
}

impl Site {
    fn new() -> Self {
        let archive = Archive::new();
        for suite in ["bookworm", "trixie"] {
            archive.suite(
                suite,
                &[
                    "cron\nPriority: important\nProvides: cron-daemon",
                    "mount\nPriority: required",
                    "nginx",
                    "varnish",
                    "exim4\nProvides: mail-transport-agent\nConflicts: mail-transport-agent",
                    "postfix\nProvides: mail-transport-agent\nConflicts: mail-transport-agent",
                ],
            );
        }
        let key = EphemeralKey::new(None).unwrap();
        let public = export_public(key.signer.home(), &[key.info.fingerprint().to_owned()]).unwrap();
        let keyring = Keyring { binary: public.binary, armored: public.armored };
        let site = Site { directory: TempDir::new().unwrap(), archive, key, keyring };
        site.write("debrole.toml", "schema = 1\n[fleet]\nprefix = \"pg\"\norigin = \"Example Project\"\n\
            label = \"Example Project\"\nmaintainer = \"Example <root@example.org>\"\nuri = \"http://apt.example.org\"\n\
            architectures = [\"amd64\"]\n[release.bookworm]\n[release.trixie]\n");
        site.role("base", "depends = [\"cron\"]");
        site.role(
            "web",
            "includes = [\"base\"]\ndepends = [\"nginx\"]\nrecommends = [\"varnish\"]\n\
            [[file]]\npath = \"/etc/nginx/conf.d/pg.conf\"\ncontent = \"\"\"\n# ours\n\"\"\"\n",
        );
        for host in ["web1", "web2"] {
            let release = if host == "web1" { "bookworm" } else { "trixie" };
            site.write(
                &format!("hosts/{host}.example.org.toml"),
                &format!("roles = [\"web\"]\nrelease = \"{release}\"\naddresses = []\n"),
            );
        }
        site.write("hosts/web3.example.org.toml", "roles = [\"web\"]\nrelease = \"trixie\"\naddresses = []\n");
        site
    }
    fn write(&self, name: &str, text: &str) {
        let path = self.directory.path().join("tree").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fn role(&self, name: &str, text: &str) {
        self.write(&format!("roles/{name}.toml"), &format!("summary = \"The role {name}\"\n{text}\n"));
    }
    fn out(&self) -> PathBuf {
        self.directory.path().join("out")
    }
    fn options(&self, lists: Lists) -> Options {
        Options { cache: self.directory.path().join("cache"), keyring: self.archive.key.keyring.clone(), lists }
    }
    fn compile(&self) -> (Model, Vec<PackagePlan>) {
        let (mut tree, wrong) = Tree::read(&self.directory.path().join("tree"));
        assert!(wrong.is_empty(), "{wrong:#?}");
        let (model, wrong) = resolve(&mut tree);
        assert!(wrong.iter().all(|d| !d.is_error()), "{wrong:#?}");
        let mut model = model.unwrap();
        for release in &mut model.fleet.releases {
            let suite = release.codename.value.to_string();
            release.sources = vec![ArchiveSource { uri: self.archive.uri(), suite, components: vec!["main".into()] }];
        }
        let (plans, wrong) = lower(&model, &self.keyring);
        assert!(wrong.iter().all(|d| !d.is_error()), "{wrong:#?}");
        (model, plans)
    }
    fn gate(&self) -> AptGate {
        AptGate::new(&self.compile().0.fleet.releases, self.options(Lists::Refresh))
    }
    /// Fetches the archive's lists into the cache, by checking.
    fn fetch_lists(&self) -> Vec<Diagnostic> {
        let (model, plans) = self.compile();
        check(&model, &plans, &self.options(Lists::Refresh)).unwrap()
    }
    fn publish(&self, time: Now, gate: Option<&dyn Gate>) -> Result<Published, Vec<Diagnostic>> {
        self.publish_signed_by(&self.key, time, gate)
    }
    fn publish_signed_by(
        &self,
        key: &EphemeralKey,
        now: Now,
        gate: Option<&dyn Gate>,
    ) -> Result<Published, Vec<Diagnostic>> {
        let (model, plans) = self.compile();
        let out = self.out();
        let mut repository = Repository::open(&out, Open { keys: None, wait: false, events: &crate::fleet::silent })?;
        let settings = Settings {
            origin: model.fleet.origin.clone(),
            label: model.fleet.label.clone(),
            suites: model.fleet.releases.iter().map(|r| r.codename.value.clone()).collect(),
            architectures: model.fleet.architectures.clone(),
            valid_for: model.fleet.valid_for as i64,
        };
        let input = Input {
            model: &model,
            plans: &plans,
            previous: repository.head(),
            published: &Files(&out),
            time: now.seconds(),
            withdrawn: &[],
        };
        let draft = build::draft(input)?;
        let staging = repository.begin(&settings, now)?;
        let built = draft.write(&NewFiles(&staging))?;
        let new = staging.finish();
        repository.publish(Publication {
            packages: built.records,
            new,
            highest: built.highest,
            settings,
            signer: &key.signer,
            now,
            refresh: false,
            gate,
        })
    }
    /// Puts what is published before the gate, once more.
    fn accept(&self) -> Result<GateReport, Vec<Diagnostic>> {
        let manifest = debrole::repo::published(&self.out()).unwrap().unwrap();
        let dists = self.out().join("dists");
        self.gate().accept(&StagedTree { root: &self.out(), dists: &dists, manifest: &manifest })
    }
    /// Everything that the gate says against what is published: messages and notes.
    fn objections(&self) -> String {
        let errors = self.accept().expect_err("accepted");
        assert!(errors.iter().all(Diagnostic::is_error));
        errors.iter().map(|d| format!("{}: {}\n{}\n", d.rule.code, d.message, d.notes.join("\n"))).collect()
    }
    fn pool_file(&self, name: &str) -> PathBuf {
        let folders = ["roles", "fleet"].map(|folder| self.out().join("pool").join(folder));
        let mut files = folders.iter().flat_map(|f| fs::read_dir(f).unwrap()).map(|entry| entry.unwrap().path());
        files.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&format!("{name}_"))).unwrap()
    }
}

fn report(published: Result<Published, Vec<Diagnostic>>) -> GateReport {
    match published.unwrap_or_else(|errors| panic!("not published: {errors:#?}")) {
        Published::Generation(generation) => generation.gate.expect("there was a gate"),
        Published::NothingChanged { .. } => panic!("nothing was published"),
    }
}

fn messages(diagnostics: &[Diagnostic]) -> Vec<String> {
    diagnostics.iter().map(|d| format!("{} {}", d.message, d.notes.join(" "))).collect()
}

#[test]
fn a_sound_generation_is_accepted_and_installed() {
    let site = Site::new();
    assert_eq!(messages(&site.fetch_lists()), [""; 0]);
    let report = report(site.publish(Now::Clock(now()), Some(&site.gate())));
    assert_eq!(report.skipped, [""; 0]);
    for expected in [
        "8 files of the pool",
        "gpgv accepts InRelease of bookworm",
        "gpgv accepts Release.gpg of trixie",
        "sqv accepts Release.gpg of bookworm",
        "apt-get update of bookworm on amd64",
        "apt-get update of trixie on amd64",
        "apt sees all 5 packages of bookworm on amd64",
        "apt sees all 6 packages of trixie on amd64",
        "apt's solver installs each of 5 packages of bookworm",
        "apt's solver installs each of 6 packages of trixie",
    ] {
        assert!(report.checked.iter().any(|c| c == expected), "{expected}: {:#?}", report.checked);
    }
    assert!(!report.elapsed.is_zero());
    // Nothing of the gate is left in the output.
    let left: Vec<_> = fs::read_dir(site.out()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("gate")), "{left:?}");
    // The second build changes nothing, so there is nothing to put before the gate.
    let again = site.publish(Now::Clock(now()), Some(&site.gate())).unwrap();
    assert!(matches!(again, Published::NothingChanged { .. }), "{again:?}");
}

#[test]
fn without_lists_the_solver_is_left_out_and_the_report_says_so() {
    let site = Site::new();
    let report = report(site.publish(Now::Clock(now()), Some(&site.gate())));
    assert_eq!(
        report.skipped,
        [
            "installing every package of bookworm on amd64: there are no package lists of bookworm here yet",
            "installing every package of trixie on amd64: there are no package lists of trixie here yet",
        ]
    );
    assert!(report.checked.iter().any(|c| c == "apt-get update of trixie on amd64"));
}

#[test]
fn a_role_that_would_not_install_keeps_the_old_generation_live() {
    let site = Site::new();
    assert_eq!(messages(&site.fetch_lists()), [""; 0]);
    report(site.publish(Now::Clock(now()), Some(&site.gate())));
    let before = fs::read(site.out().join("dists/bookworm/InRelease")).unwrap();
    site.role("mail", "depends = [\"exim4\", \"postfix\"]");
    let errors = site.publish(Now::Clock(now()), Some(&site.gate())).unwrap_err();
    let found: Vec<_> = errors.iter().map(|d| (d.rule.code, d.message.split(' ').next().unwrap())).collect();
    assert_eq!(found, [("uninstallable", "pg-role-mail"); 2]);
    assert!(errors[0].notes[0].contains("pg-role-mail : Depends: "), "{:?}", errors[0].notes);
    assert_eq!(site.out().join("dists").read_link().unwrap(), Path::new("generations/1"));
    assert_eq!(fs::read(site.out().join("dists/bookworm/InRelease")).unwrap(), before);
    // A dependency that leaves Debian after the role was published is found by the next build's gate.
    site.role("mail", "depends = [\"postfix\"]");
    report(site.publish(Now::Clock(now()), Some(&site.gate())));
    site.archive.suite("trixie", &["cron\nPriority: important", "mount", "nginx"]);
    fs::remove_dir_all(site.directory.path().join("cache")).unwrap();
    assert_eq!(site.fetch_lists().iter().filter(|d| d.is_error()).count(), 1);
    assert!(site.objections().starts_with("uninstallable: pg-role-mail "), "{}", site.objections());
}

#[test]
fn a_signature_that_machines_would_not_believe_is_refused() {
    let site = Site::new();
    site.publish(Now::Clock(now()), None).unwrap();
    site.accept().unwrap();
    let path = site.out().join("dists/trixie/InRelease");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("Codename: trixie", "Codename: trixia")).unwrap();
    let said = site.objections();
    assert!(said.contains("gate-refused: the signature of trixie is not good") && said.contains("BAD"), "{said}");
    fs::write(&path, text).unwrap();
    site.accept().unwrap();
}

#[test]
fn a_key_that_the_keyring_package_does_not_bring_is_refused() {
    let site = Site::new();
    let other = EphemeralKey::new(None).unwrap();
    let errors = site.publish_signed_by(&other, Now::Clock(now()), Some(&site.gate())).unwrap_err();
    assert!(errors.iter().all(|d| d.message.contains("the signature of ")), "{errors:#?}");
    assert!(!site.out().join("dists").exists());
}

#[test]
fn a_generation_that_is_out_of_date_or_dated_ahead_is_refused() {
    let site = Site::new();
    let errors = site.publish(Now::Supplied(now() - 20 * DAY), Some(&site.gate())).unwrap_err();
    let notes = format!("{errors:?}");
    assert!(notes.contains("apt-get update does not accept bookworm") && notes.contains("is expired"), "{notes}");
    let errors = site.publish(Now::Supplied(now() + 3600), Some(&site.gate())).unwrap_err();
    let notes = format!("{errors:?}");
    assert!(notes.contains("is not valid yet"), "{notes}");
    assert!(!site.out().join("dists").exists());
    report(site.publish(Now::Clock(now()), Some(&site.gate())));
}

#[test]
fn a_pool_that_lacks_a_file_or_has_another_is_refused() {
    let site = Site::new();
    site.publish(Now::Clock(now()), None).unwrap();
    let (web, base) = (site.pool_file("pg-role-web"), site.pool_file("pg-role-base"));
    let (bytes, other) = (fs::read(&web).unwrap(), fs::read(&base).unwrap());
    fs::remove_file(&web).unwrap();
    let mut changed = other.clone();
    changed[100] ^= 1;
    fs::write(&base, &changed).unwrap();
    let said = site.objections();
    assert!(said.contains("pool/roles/pg-role-web_") && said.contains("No such file"), "{said}");
    assert!(said.contains("pool/roles/pg-role-base_") && said.contains("other content"), "{said}");
    fs::write(&web, bytes).unwrap();
    fs::write(&base, other).unwrap();
    site.accept().unwrap();
    // The keyring package is what machines join by.
    let keyring = site.pool_file("pg-archive-keyring");
    let whole = fs::read(&keyring).unwrap();
    fs::write(&keyring, &whole[..whole.len() / 2]).unwrap();
    let said = site.objections();
    assert!(said.contains("can't be unpacked"), "{said}");
}

#[test]
fn an_index_that_is_not_the_one_that_was_signed_is_refused() {
    let site = Site::new();
    site.publish(Now::Clock(now()), None).unwrap();
    for entry in fs::read_dir(site.out().join("by-hash/SHA256")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
    }
    let said = site.objections();
    assert!(said.contains("apt-get update does not accept bookworm") && said.contains("Hash Sum mismatch"), "{said}");
}

#[test]
fn what_apt_sees_must_be_what_the_manifest_says() {
    let site = Site::new();
    site.publish(Now::Clock(now()), None).unwrap();
    let mut manifest = debrole::repo::published(&site.out()).unwrap().unwrap();
    let web = manifest.packages.iter_mut().find(|r| r.name.as_str() == "pg-role-web").unwrap();
    let was = std::mem::replace(&mut web.version, "99990101.1".into());
    let mut ghost = web.clone();
    ghost.name = debrole::names::PackageName::parse("pg-role-ghost").unwrap();
    manifest.packages.push(ghost);
    let dists = site.out().join("dists");
    let errors = site.gate().accept(&StagedTree { root: &site.out(), dists: &dists, manifest: &manifest }).unwrap_err();
    let messages: Vec<&str> = errors.iter().map(|d| d.message.as_str()).collect();
    for suite in ["bookworm", "trixie"] {
        let other = format!("apt would install pg-role-web {was} on {suite}, not 99990101.1");
        let none = format!("apt does not see pg-role-ghost 99990101.1 on {suite}");
        assert!(messages.contains(&other.as_str()) && messages.contains(&none.as_str()), "{messages:#?}");
    }
}

/// A fleet for the program itself, with Debian's real lists.
struct Fleet {
    directory: TempDir,
    cache: PathBuf,
}

impl Fleet {
    fn new(mirror: &str, cache: PathBuf) -> Self {
        let fleet = Fleet { directory: TempDir::new().unwrap(), cache };
        let mirrors = format!("mirror = \"{mirror}\"\nsecurity = \"{mirror}-security\"\n");
        fleet.write(
            "debrole.toml",
            &format!(
                "schema = 1\n[fleet]\nprefix = \"pg\"\norigin = \"Example Project\"\nlabel = \"Example Project\"\n\
                 maintainer = \"Example <root@example.org>\"\nuri = \"http://apt.example.org\"\narchitectures = [\"amd64\"]\n\
                 [release.bookworm]\n{mirrors}[release.trixie]\n{mirrors}"
            ),
        );
        fleet.role("web", "depends = [\"nginx (>= 1.22)\"]");
        fleet
    }
    fn write(&self, name: &str, text: &str) {
        let path = self.directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fn role(&self, name: &str, text: &str) {
        self.write(&format!("roles/{name}.toml"), &format!("summary = \"The role {name}\"\n{text}\n"));
    }
    /// Exit status and everything that was printed.
    fn debrole(&self, arguments: &[&str]) -> (i32, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_debrole"))
            .arg("-C")
            .arg(self.directory.path())
            .args(arguments)
            .run()
            .unwrap();
        (output.status.code().unwrap(), format!("{}{}", output.stdout_text(), output.stderr_text()))
    }
    fn with_cache(&self, arguments: &[&str]) -> (i32, String) {
        self.debrole(&[arguments, &["--archive-cache", self.cache.to_str().unwrap()]].concat())
    }
    fn generation(&self) -> Option<PathBuf> {
        self.directory.path().join("repo-out/dists").read_link().ok()
    }
}

#[test]
fn the_program_checks_builds_and_gates_against_debian() {
    let fleet = Fleet::new(&debian_mirror(), debian_cache());
    assert_eq!(fleet.debrole(&["key", "init"]).0, 0);
    let (status, said) = fleet.with_cache(&["check", "--archive"]);
    assert_eq!(status, 0, "{said}");
    let (status, said) = fleet.with_cache(&["build", "--first-publish"]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("Published generation 1") && !said.contains("not run"), "{said}");
    assert!(said.contains("  gate: 13 checks of apt"), "{said}");
    let (status, said) = fleet.with_cache(&["build"]);
    assert!(status == 0 && said.starts_with("Nothing changed") && !said.contains("gate"), "{said}");

    fleet.role("web", "depends = [\n  \"nginx\",\n  \"vanrish\",\n]");
    for command in [&["check", "--archive"][..], &["build"]] {
        let (status, said) = fleet.with_cache(command);
        assert_eq!(status, 1, "{said}");
        for part in
            ["error[unknown-package]: no package vanrish in bookworm and trixie", "roles/web.toml:4:4", "varnish"]
        {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    fleet.role("web", "depends = [\"exim4\", \"postfix\"]");
    let (status, said) = fleet.with_cache(&["build"]);
    assert!(status == 1 && said.contains("error[uninstallable]: pg-role-web can't be installed"), "{said}");
    assert!(said.contains("roles/web.toml:2:13") && said.contains("without postfix it could be installed"), "{said}");
    assert_eq!(fleet.generation(), Some("generations/1".into()));

    let (status, said) = fleet.with_cache(&["build", "--no-gate"]);
    assert!(status == 0 && said.contains("not run: the gate and the archive check: --no-gate"), "{said}");
    assert_eq!(fleet.generation(), Some("generations/2".into()));
    // Published past the gate, it is refused as soon as the gate runs again.
    let (status, said) = fleet.with_cache(&["build", "--refresh"]);
    assert!(status != 0 && said.contains("pg-role-web") && said.contains("would not install on bookworm"), "{said}");
    assert_eq!(fleet.generation(), Some("generations/2".into()));
}

#[test]
fn the_program_out_of_reach_of_a_mirror() {
    // Nothing listens on the discard port.
    let fleet = Fleet::new("http://127.0.0.1:9/debian", PathBuf::new());
    let fleet = Fleet { cache: fleet.directory.path().join("cache"), ..fleet };
    assert_eq!(fleet.debrole(&["key", "init"]).0, 0);
    let (status, said) = fleet.with_cache(&["check", "--archive"]);
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("the package lists of bookworm can't be fetched") && said.contains("127.0.0.1"), "{said}");
    let (status, said) = fleet.with_cache(&["build", "--first-publish"]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("not run: the archive check: the package lists of bookworm can't be fetched"), "{said}");
    assert!(
        said.contains("gate, not run: installing every package of trixie on amd64: there are no package lists"),
        "{said}"
    );
    assert!(said.contains(" checks of apt, its solver, gpgv and sqv held in "), "{said}");
    assert_eq!(fleet.generation(), Some("generations/1".into()));

    // It does not claim what was not there to ask.
    let programs = fleet.directory.path().join("programs");
    fs::create_dir(&programs).unwrap();
    for program in fs::read_dir("/usr/bin").unwrap().flatten().filter(|program| program.file_name() != "sqv") {
        std::os::unix::fs::symlink(program.path(), programs.join(program.file_name())).unwrap();
    }
    let debrole = Command::new(env!("CARGO_BIN_EXE_debrole"));
    let arguments = ["build", "--refresh", "--archive-cache", fleet.cache.to_str().unwrap()];
    let output = debrole.arg("-C").arg(fleet.directory.path()).args(arguments).env("PATH", programs).run().unwrap();
    let said = output.stdout_text();
    assert!(said.contains(" checks of apt, its solver and gpgv held in "), "{said}{}", output.stderr_text());
}
